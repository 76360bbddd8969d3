using System.Data.Common;
using System.Diagnostics;
using Npgsql;
using Postern.Support;

namespace Postern.Bench;

/// <summary>
/// The limit on PostgreSQL: loops that write the same rows as the server, on the same database, with a commit each, and
/// do nothing else. A loop sends a statement, waits for its answer and sends the next; beside it, one that sends all
/// statements with the commit at once.
/// </summary>
internal sealed class BarePostgres : IAsyncDisposable
{
    private const int Loops = 64;
    private const int Rounds = 3;
    private const int WarmUps = 4;

    /// <summary>
    /// What is measured is divided: a part for each time that warms up, one for each round of the server and of each
    /// kind of loop.
    /// </summary>
    public const int Slices = WarmUps + (3 * Rounds);

    private readonly NpgsqlDataSource _source;

    private BarePostgres(NpgsqlDataSource source) => _source = source;

    /// <summary>Of a PostgreSQL of its own, with the settings that both sides get.</summary>
    public static string NewDatabase() => PostgresServer.NewDatabase() + ";Max Auto Prepare=64";

    public static async Task<BarePostgres> OpenAsync(string database)
    {
        var bare = new BarePostgres(NpgsqlDataSource.Create(database + $";Maximum Pool Size={Loops}"));
        await using var connection = await bare._source.OpenConnectionAsync();
        return bare;
    }

    public async Task<T> ScalarAsync<T>(string sql) => (await ListAsync(sql, r => r.GetFieldValue<T>(0)))[0];

    public async Task<List<T>> ListAsync<T>(string sql, Func<DbDataReader, T> map)
    {
        await using var command = _source.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<T>();
        while (await reader.ReadAsync())
            rows.Add(map(reader));
        return rows;
    }

    /// <summary>The server and the loops in turn, in rounds; says the medians and their ratios.</summary>
    /// <param name="what">What one of them is.</param>
    /// <param name="url">The server's.</param>
    /// <param name="script">What is sent to the server, by the number of the slice.</param>
    /// <param name="rows">
    /// The rows of one, by the number of the slice and of the time; null: the slice is used up.</param>
    /// <param name="seconds">How long each lasts.</param>
    public async Task CompareAsync(
        string what,
        string url,
        Func<int, string> script,
        Func<int, long, IEnumerable<(string Sql, object?[] Values)>?> rows,
        int seconds = 5
    )
    {
        for (var slice = 0; slice < WarmUps; slice++)
            await Wrk.RunAsync(url, seconds, Loops, null, script(slice));
        var (ours, alone, batched) = (new List<Wrk>(), new List<double>(), new List<double>());
        for (var slice = WarmUps; slice < WarmUps + Rounds; slice++)
        {
            ours.Add(await Wrk.RunAsync(url, seconds, Loops, null, script(slice)));
            var (first, second) = (slice + Rounds, slice + (2 * Rounds));
            alone.Add(await RunAsync(seconds, n => rows(first, n), StatementsAsync));
            batched.Add(await RunAsync(seconds, n => rows(second, n), BatchAsync));
        }
        if (ours.Sum(r => r.Failed) > 0)
            throw new InvalidOperationException($"{ours.Sum(r => r.Failed)} requests were refused");
        var rate = Measurements.Median(ours.Select(r => r.PerSecond));
        Measurements.Say($"{what} over HTTP, 64 connections, PostgreSQL", rate, "a second");
        Measurements.Say("64 bare loops, the same rows, a statement a trip", Measurements.Median(alone), "a second");
        Measurements.Say("ratio", 100 * rate / Measurements.Median(alone), "%", "target 60 %");
        Measurements.Say("64 bare loops, the same rows, all in one trip", Measurements.Median(batched), "a second");
        Measurements.Say("ratio", 100 * rate / Measurements.Median(batched), "%");
        Measurements.Say("p99", Measurements.Median(ours.Select(r => r.P99Milliseconds)), "ms", "target < 30 ms");
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    /// <summary>Commits a second, by all loops.</summary>
    private async Task<double> RunAsync(
        int seconds,
        Func<long, IEnumerable<(string Sql, object?[] Values)>?> rows,
        Func<NpgsqlConnection, IEnumerable<(string Sql, object?[] Values)>, Task> write
    )
    {
        var (next, done) = (-1L, 0L);
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, Loops).Select(_ => Task.Run(LoopAsync)));
        return done / watch.Elapsed.TotalSeconds;

        async Task LoopAsync()
        {
            await using var connection = await _source.OpenConnectionAsync();
            while (watch.Elapsed.TotalSeconds < seconds && rows(Interlocked.Increment(ref next)) is { } some)
            {
                await write(connection, some);
                Interlocked.Increment(ref done);
            }
        }
    }

    private static async Task StatementsAsync(
        NpgsqlConnection connection,
        IEnumerable<(string Sql, object?[] Values)> rows
    )
    {
        await using var transaction = await connection.BeginTransactionAsync();
        foreach (var (sql, values) in rows)
        {
            await using var command = new NpgsqlCommand(sql, connection, transaction);
            foreach (var value in values)
                command.Parameters.Add(Parameter(value));
            if (await command.ExecuteNonQueryAsync() != 1)
                throw new InvalidOperationException("a row was not there: " + sql);
        }
        await transaction.CommitAsync();
    }

    private static async Task BatchAsync(NpgsqlConnection connection, IEnumerable<(string Sql, object?[] Values)> rows)
    {
        await using var transaction = await connection.BeginTransactionAsync();
        await using var batch = new NpgsqlBatch(connection, transaction);
        foreach (var (sql, values) in rows)
        {
            var command = new NpgsqlBatchCommand(sql);
            foreach (var value in values)
                command.Parameters.Add(Parameter(value));
            batch.BatchCommands.Add(command);
        }
        batch.BatchCommands.Add(new NpgsqlBatchCommand("COMMIT"));
        await batch.ExecuteNonQueryAsync();
    }

    private static NpgsqlParameter Parameter(object? value) =>
        value switch
        {
            long number => new NpgsqlParameter<long> { TypedValue = number },
            string text => new NpgsqlParameter<string> { TypedValue = text },
            byte[] bytes => new NpgsqlParameter<byte[]> { TypedValue = bytes },
            _ => new NpgsqlParameter { Value = DBNull.Value },
        };
}
