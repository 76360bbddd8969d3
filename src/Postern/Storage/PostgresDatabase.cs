using System.Data.Common;
using System.Diagnostics;
using Npgsql;

namespace Postern.Storage;

/// <summary>
/// PostgreSQL, shared by any number of nodes: a transaction a command at read committed, rows that a decision depends on
/// locked by <see cref="Tx.ForUpdate"/>, serialization failures and deadlocks run again. Nothing rests on a session-level
/// setting, so a pooler in transaction mode may stand between; LISTEN is a hint only (<see cref="PostgresRelay"/>).
///
/// On a crash of the node or the connection PostgreSQL rolls back what had not been committed. A connection that is lost while
/// a commit is on its way leaves the outcome unknown: the caller gets <see cref="StorageUnavailableException"/> and the
/// client's repeat, under the same id, finds the first outcome.
/// </summary>
internal sealed class PostgresDatabase : Database
{
    private const int MaxTries = 8;
    private const int MaxDoublings = 4;

    private readonly NpgsqlDataSource _source;
    private readonly TimeProvider _clock;
    private readonly PostgresRelay _relay;
    private long _clockOffset;
    private int _inFlight;

    public PostgresDatabase(string connectionString, TimeProvider clock)
    {
        _clock = clock;
        _source = CreateSource(connectionString);
        _relay = new PostgresRelay(_source, Changes, clock);
        Changes.RelayTo(_relay.Tell);
        StorageMeter.ObserveQueue(() => _inFlight);
    }

    public override long Now => SqliteDatabase.Microseconds(_clock) + Interlocked.Read(ref _clockOffset);

    public override string Kind => "postgresql";

    public static NpgsqlDataSource CreateSource(string connectionString) =>
        new NpgsqlDataSourceBuilder(PostgresConnection.SettingsOf(connectionString).ToString()).Build();

    /// <summary>Measures how far the database's clock is from this machine's, and begins to hear other nodes.</summary>
    public async Task StartAsync(CancellationToken cancel)
    {
        await MeasureClockAsync(cancel);
        _relay.Start();
    }

    /// <summary>Repeated by the loop that watches for changes, so that a node whose clock drifts keeps the database's time.</summary>
    public async Task MeasureClockAsync(CancellationToken cancel)
    {
        var before = SqliteDatabase.Microseconds(_clock);
        var theirs = await ReadAsync(tx => tx.FirstAsync(
            "SELECT (extract(epoch from clock_timestamp()) * 1000000)::bigint", r => r.GetInt64(0)), cancel);
        var after = SqliteDatabase.Microseconds(_clock);
        Interlocked.Exchange(ref _clockOffset, theirs - ((before + after) / 2));
    }

    public override async Task<T> WriteAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default)
    {
        using var span = StorageMeter.Source.StartActivity("postern.store.write");
        Interlocked.Increment(ref _inFlight);
        var began = Stopwatch.GetTimestamp();
        await using var outside = new DoneOutside(Changes);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    await using var connection = await _source.OpenConnectionAsync(cancel);
                    await using var transaction = await connection.BeginTransactionAsync(cancel);
                    var tx = new PostgresTx(connection, transaction, this);
                    var result = await command(tx);
                    // Not cancellable: a commit that was sent is waited for, so that the answer is the outcome.
                    await transaction.CommitAsync(CancellationToken.None);
                    Told(tx);
                    StorageMeter.Committed(1, Stopwatch.GetElapsedTime(began));
                    return result;
                }
                catch (PostgresException fault) when (attempt < MaxTries && IsConflict(fault))
                {
                    // The transaction did not happen: once more.
                    await PauseAsync(attempt, cancel);
                }
                catch (OutsideFirstException first)
                {
                    // Neither did this one: its connection is given back, and what it needs is made.
                    await outside.DoAsync(first);
                    attempt--;
                }
            }
        }
        catch (Exception fault) when (IsUnavailable(fault))
        {
            throw new StorageUnavailableException("The database cannot be reached.", fault);
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }

    public override async Task<T> WriteOneAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default)
    {
        using var span = StorageMeter.Source.StartActivity("postern.store.write");
        Interlocked.Increment(ref _inFlight);
        var began = Stopwatch.GetTimestamp();
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    await using var connection = await _source.OpenConnectionAsync(cancel);
                    var tx = new PostgresTx(connection, null, this);
                    var result = await command(tx);
                    Told(tx);
                    StorageMeter.Committed(1, Stopwatch.GetElapsedTime(began));
                    return result;
                }
                catch (PostgresException fault) when (attempt < MaxTries && IsConflict(fault))
                {
                    // The statement did not happen: once more.
                    await PauseAsync(attempt, cancel);
                }
            }
        }
        catch (Exception fault) when (IsUnavailable(fault))
        {
            throw new StorageUnavailableException("The database cannot be reached.", fault);
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }

    public override async ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> query, CancellationToken cancel = default)
    {
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancel);
            return await query(new PostgresTx(connection, null, this));
        }
        catch (Exception fault) when (IsUnavailable(fault))
        {
            throw new StorageUnavailableException("The database cannot be reached.", fault);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await _relay.DisposeAsync();
        await _source.DisposeAsync();
    }

    private static bool IsConflict(PostgresException fault) =>
        fault.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected;

    /// <summary>
    /// Before the next try: 10 to 100 ms at random, doubled with each. Those that met and try again at once meet again.
    /// </summary>
    private Task PauseAsync(int attempt, CancellationToken cancel)
    {
        StorageMeter.Repeated();
        var pause = Random.Shared.Next(10, 101) << Math.Min(attempt - 1, MaxDoublings);
        return Task.Delay(TimeSpan.FromMilliseconds(pause), _clock, cancel);
    }

    /// <summary>It is committed: what remembers is marked, and the others are told after the answer.</summary>
    private void Told(PostgresTx tx)
    {
        Changes.Marked(tx.Touched);
        Changes.Committed(tx.Touched);
    }

    internal static bool IsUnavailable(Exception fault) => fault switch
    {
        // Class 08 connection, 53 resources, 57P shutdown, 25006 a replica that takes no writes.
        PostgresException p => p.SqlState is PostgresErrorCodes.CannotConnectNow or ['0', '8', ..] or ['5', '3', ..] or ['5', '7', 'P', ..] or "25006",
        NpgsqlException => true,
        TimeoutException or System.Net.Sockets.SocketException => true,
        _ => false,
    };

    private sealed class PostgresTx(NpgsqlConnection connection, NpgsqlTransaction? transaction, PostgresDatabase database) : Tx
    {
        public override bool WritesInQueries => true;

        public override bool SendsAhead => true;

        public override string ForUpdate => " FOR UPDATE";

        public override string ForUpdateSkipLocked => " FOR UPDATE SKIP LOCKED";

        public override string IsAnyOf(string column, string parameter) => $"{column} = ANY (ARRAY(SELECT json_array_elements_text({parameter}::json)))";

        public override string HoldsAnyOf(string column, string parameter) =>
            $"EXISTS (SELECT 1 FROM json_array_elements_text({column}::json) AS held(value) WHERE held.value = ANY (ARRAY(SELECT json_array_elements_text({parameter}::json))))";

        public override long Now => database.Now;

        public override async ValueTask<int> ExecuteAsync(string sql, params object?[] args)
        {
            await using var command = Prepare(sql, args);
            return await command.ExecuteNonQueryAsync();
        }

        public override async ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
            where T : default
        {
            await using var command = Prepare(sql, args);
            await using var reader = await command.ExecuteReaderAsync();
            return await reader.ReadAsync() ? map(reader) : default;
        }

        public override async ValueTask<List<T>> ListAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
        {
            await using var command = Prepare(sql, args);
            await using var reader = await command.ExecuteReaderAsync();
            var rows = new List<T>();
            while (await reader.ReadAsync()) rows.Add(map(reader));
            return rows;
        }

        private NpgsqlCommand Prepare(string sql, object?[] args)
        {
            var command = new NpgsqlCommand(sql, connection, transaction);
            foreach (var arg in args)
            {
                command.Parameters.Add(arg switch
                {
                    long n => new NpgsqlParameter<long> { TypedValue = n },
                    int n => new NpgsqlParameter<long> { TypedValue = n },
                    string s => new NpgsqlParameter<string> { TypedValue = s },
                    byte[] b => new NpgsqlParameter<byte[]> { TypedValue = b },
                    long[] n => new NpgsqlParameter<long[]> { TypedValue = n },
                    string?[] s => new NpgsqlParameter<string?[]> { TypedValue = s },
                    byte[][] b => new NpgsqlParameter<byte[][]> { TypedValue = b },
                    null => new NpgsqlParameter { Value = DBNull.Value },
                    _ => throw new NotSupportedException("Columns are text, bigint or bytes; not " + arg.GetType().Name),
                });
            }
            return command;
        }
    }
}
