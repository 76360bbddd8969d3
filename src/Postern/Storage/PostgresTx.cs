using System.Data;
using System.Data.Common;
using Npgsql;

namespace Postern.Storage;

/// <summary>
/// What statements of a command run in on PostgreSQL: a transaction, or, without one, each for itself.
/// </summary>
/// <param name="connection">Theirs alone.</param>
/// <param name="transaction">Null: each statement is its own.</param>
/// <param name="isBounded">
/// Whether the first statement brings along how long it and those after it wait for a row and may take. The bounds
/// are the
/// transaction's own, so they need no session and no round trip of their own.
/// </param>
/// <param name="database">Whose clock it is.</param>
/// <param name="cancel">Interrupts a statement.</param>
internal sealed class PostgresTx(
    NpgsqlConnection connection,
    NpgsqlTransaction? transaction,
    bool isBounded,
    PostgresDatabase database,
    CancellationToken cancel = default
) : Tx
{
    private static readonly string Bounds =
        $"SELECT set_config('lock_timeout', '{PostgresDatabase.LockTime.TotalMilliseconds}', true), "
        + $"set_config('statement_timeout', '{PostgresDatabase.StatementTime.TotalMilliseconds}', true)";

    private bool _isBounded = !isBounded;

#if DEBUG
    private readonly LockOrder _order = new();
#endif

    /// <summary>Whether a statement was on its way to the server.</summary>
    public bool HasSent { get; private set; }

    public override bool WritesInQueries => true;

    public override bool SendsAhead => true;

    public override string ForUpdate => " FOR UPDATE";

    public override string ForUpdateSkipLocked => " FOR UPDATE SKIP LOCKED";

    public override string ForKeyShare => " FOR KEY SHARE";

    public override string IsAnyOf(string column, string parameter) =>
        $"{column} = ANY (ARRAY(SELECT json_array_elements_text({parameter}::json)))";

    public override string HoldsAnyOf(string column, string parameter) =>
        $"""
            EXISTS (
              SELECT 1 FROM json_array_elements_text({column}::json) AS held(value)
              WHERE held.value = ANY (ARRAY(SELECT json_array_elements_text({parameter}::json))))
            """;

    public override long Now => database.Now;

    public override string NextPosition(string project, string now) => PostgresPositions.Next;

    public override ValueTask<long> SettledAsync() => database.Positions.SettledAsync(this, cancel);

    public override async ValueTask<int> ExecuteAsync(string sql, params object?[] args)
    {
        try
        {
            await using var batch = Prepare(sql, args);
            await batch.ExecuteNonQueryAsync(cancel);
            return (int)batch.BatchCommands[^1].RecordsAffected;
        }
        catch (Exception fault) when (IsBreak(connection, fault))
        {
            throw Broken(fault);
        }
    }

    public override async ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
        where T : default
    {
        try
        {
            await using var batch = Prepare(sql, args);
            await using var reader = await ReadAsync(batch);
            return await reader.ReadAsync(cancel) ? map(reader) : default;
        }
        catch (Exception fault) when (IsBreak(connection, fault))
        {
            throw Broken(fault);
        }
    }

    public override async ValueTask<List<T>> ListAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
    {
        try
        {
            await using var batch = Prepare(sql, args);
            await using var reader = await ReadAsync(batch);
            var rows = new List<T>();
            while (await reader.ReadAsync(cancel))
                rows.Add(map(reader));
            return rows;
        }
        catch (Exception fault) when (IsBreak(connection, fault))
        {
            throw Broken(fault);
        }
    }

    /// <summary>
    /// Whether a fault comes of a connection that broke while it was used: the driver then meets what it has already
    /// put down itself, and says so by exceptions that are not its own.
    /// </summary>
    public static bool IsBreak(NpgsqlConnection connection, Exception fault) =>
        fault is ObjectDisposedException
        || (fault is InvalidOperationException or NullReferenceException && connection.State != ConnectionState.Open);

    public static NpgsqlException Broken(Exception fault) =>
        new("The connection to the database broke while it was used.", fault);

    private async Task<NpgsqlDataReader> ReadAsync(NpgsqlBatch batch)
    {
        var reader = await batch.ExecuteReaderAsync(cancel);
        if (batch.BatchCommands.Count > 1)
            await reader.NextResultAsync(cancel);
        return reader;
    }

    private NpgsqlBatch Prepare(string sql, object?[] args)
    {
#if DEBUG
        if (transaction is not null)
            _order.Check(sql);
#endif
        var batch = new NpgsqlBatch(connection, transaction);
        if (!_isBounded)
        {
            // Without a transaction of its own the statement needs the bounds in the one that the two have together.
            batch.BatchCommands.Add(new NpgsqlBatchCommand(Bounds));
            _isBounded = transaction is not null;
        }
        var command = new NpgsqlBatchCommand(sql);
        foreach (var arg in args)
        {
            command.Parameters.Add(
                arg switch
                {
                    long n => new NpgsqlParameter<long> { TypedValue = n },
                    int n => new NpgsqlParameter<long> { TypedValue = n },
                    string s => new NpgsqlParameter<string> { TypedValue = s },
                    byte[] b => new NpgsqlParameter<byte[]> { TypedValue = b },
                    long[] n => new NpgsqlParameter<long[]> { TypedValue = n },
                    string?[] s => new NpgsqlParameter<string?[]> { TypedValue = s },
                    byte[][] b => new NpgsqlParameter<byte[][]> { TypedValue = b },
                    null => new NpgsqlParameter { Value = DBNull.Value },
                    _ => throw new NotSupportedException(
                        "Columns are text, bigint or bytes; not " + arg.GetType().Name
                    ),
                }
            );
        }
        batch.BatchCommands.Add(command);
        HasSent = true;
        return batch;
    }
}
