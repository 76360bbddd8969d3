using Npgsql;
using Postern.Support;

namespace Postern.Bench;

/// <summary>
/// The server as it is on large tables that are split by a hash of the project, beside the same on whole ones: what the
/// split costs while everything is small, when nothing can be gained by it.
/// </summary>
internal static class PartitionMeasurements
{
    private const int Parts = 16;
    private const int Rounds = 3;
    private const int Seconds = 5;
    private const int Connections = 64;

    private static readonly string[] Large = ["record", "message", "run_event"];

    public static async Task RunAsync(string folder)
    {
        var whole = await PrepareAsync($"{folder}/whole", isSplit: false);
        var split = await PrepareAsync($"{folder}/split", isSplit: true);
        var (plain, parted) = (new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            plain.Add(await AppendAsync($"{folder}/whole", whole.Database, whole.Key, folder));
            parted.Add(await AppendAsync($"{folder}/split", split.Database, split.Key, folder));
        }
        Measurements.Say("appends over HTTP, whole tables", Measurements.Median(plain), "rows/s");
        Measurements.Say($"the same, {Parts} partitions by project", Measurements.Median(parted), "rows/s");
        Measurements.Say("ratio", 100 * Measurements.Median(parted) / Measurements.Median(plain), "%");
        await using var connection = new NpgsqlConnection(split.Database);
        await connection.OpenAsync();
        var scanned = await PlanAsync(
            connection,
            "SELECT body FROM record WHERE project = 'p' AND session = 's' AND channel = 'out' AND seq >= 5 "
                + "ORDER BY seq LIMIT 50"
        );
        Measurements.Say("partitions that a page of records looks into", scanned, "of " + Parts);
    }

    private static async Task<(string Database, string Key)> PrepareAsync(string folder, bool isSplit)
    {
        var database = PostgresServer.NewDatabase();
        await using var first = await Child.StartAsync($"serve {folder} \"{database}\"", Measurements.NoLimits);
        using var http = Measurements.Client(first, first.RootKey);
        await first.StopAsync();
        if (isSplit)
        {
            await using var connection = new NpgsqlConnection(database);
            await connection.OpenAsync();
            foreach (var table in Large)
                await SplitAsync(connection, table);
        }
        return (database, first.RootKey);
    }

    private static async Task<double> AppendAsync(string data, string database, string key, string folder)
    {
        await using var server = await Child.StartAsync($"serve {data} \"{database}\"", Measurements.NoLimits);
        using var http = Measurements.Client(server, key);
        for (var i = 0; i < Connections; i++)
            await Measurements.StartSessionAsync(http, "bench" + i);
        var script = Measurements.AppendsOfManySessions(folder, key, Connections);
        await Wrk.RunAsync(server.Url, Measurements.WarmSeconds, Connections, null, script);
        var run = await Wrk.RunAsync(server.Url, Seconds, Connections, null, script);
        return run.Failed > 0 ? throw new InvalidOperationException("appends failed") : run.PerSecond;
    }

    /// <summary>The same columns, keys and indexes, and the rows that there are, in partitions.</summary>
    private static async Task SplitAsync(NpgsqlConnection connection, string table)
    {
        var indexes = await ListAsync(
            connection,
            $"SELECT indexdef FROM pg_indexes WHERE tablename = '{table}' AND schemaname = current_schema()"
        );
        var parts = Enumerable
            .Range(0, Parts)
            .Select(i =>
                $"CREATE TABLE {table}_{i} PARTITION OF {table} FOR VALUES WITH (MODULUS {Parts}, REMAINDER {i});"
            );
        await using var command = new NpgsqlCommand(
            $"""
            ALTER TABLE {table} RENAME TO {table}_whole;
            CREATE TABLE {table} (LIKE {table}_whole INCLUDING DEFAULTS) PARTITION BY HASH (project);
            {string.Join('\n', parts)}
            INSERT INTO {table} SELECT * FROM {table}_whole;
            DROP TABLE {table}_whole;
            {string.Join(";\n", indexes)};
            """,
            connection
        );
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<int> PlanAsync(NpgsqlConnection connection, string sql) =>
        (await ListAsync(connection, "EXPLAIN " + sql)).Count(l => l.Contains(" on record_", StringComparison.Ordinal));

    private static async Task<List<string>> ListAsync(NpgsqlConnection connection, string sql)
    {
        var rows = new List<string>();
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            rows.Add(reader.GetString(0));
        return rows;
    }
}
