using System.Data;
using System.Data.Common;
using Npgsql;

namespace Postern.Storage;

/// <summary>Runs the statements of a command on PostgreSQL: in a transaction, or without one, each by itself.</summary>
/// <param name="connection">Theirs alone.</param>
/// <param name="transaction">Null: each statement is its own.</param>
/// <param name="isBounded">
/// Whether the first statement brings along how long it and those after it wait for a row and may take. The bounds are
/// the transaction's own, so they need no session and no round trip of their own.</param>
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

    private readonly List<Queued> _queued = [];
    private bool _isBounded = !isBounded;

#if DEBUG
    private readonly LockOrder _order = new();
#endif

    /// <summary>True while a statement is on its way to the server.</summary>
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
        var command = Command(sql, args);
        await SendAsync(new Queued(command), cancel);
        return (int)command.RecordsAffected;
    }

    public override async ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
        where T : default
    {
        T? first = default;
        await SendAsync(new Queued(Command(sql, args), async r => first = await FirstAsync(r, map)), cancel);
        return first;
    }

    public override async ValueTask<List<T>> ListAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
    {
        List<T>? rows = null;
        await SendAsync(new Queued(Command(sql, args), async r => rows = await ListAsync(r, map)), cancel);
        return rows!;
    }

    public override void Queue(string sql, params object?[] args) => _queued.Add(new Queued(Command(sql, args)));

    public override void QueueOne(Func<Exception> orElse, string sql, params object?[] args) =>
        _queued.Add(new Queued(Command(ChangesOne(sql), args), Skip) { OrElse = orElse });

    public override Ahead<T?> FirstAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
        where T : default
    {
        var ahead = new Ahead<T?>(FlushAsync);
        _queued.Add(new Queued(Command(sql, args), async r => ahead.Answer(await FirstAsync(r, map))));
        return ahead;
    }

    public override Ahead<List<T>> ListAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
    {
        var ahead = new Ahead<List<T>>(FlushAsync);
        _queued.Add(new Queued(Command(sql, args), async r => ahead.Answer(await ListAsync(r, map))));
        return ahead;
    }

    /// <summary>Sends the queued statements.</summary>
    public ValueTask FlushAsync() => _queued.Count == 0 ? default : SendAsync(null, cancel);

    /// <summary>
    /// Commits, in one round trip with the queued statements. After a fault in a pipeline, the server runs nothing more
    /// of it, so the commit does not happen. It cannot be cancelled: a commit that was sent is awaited, so that the
    /// answer is the outcome.
    /// </summary>
    public async ValueTask CommitAsync()
    {
        if (_queued.Count > 0)
            await SendAsync(new Queued(new NpgsqlBatchCommand("COMMIT")), CancellationToken.None);
        else
            await transaction!.CommitAsync(CancellationToken.None);
    }

    /// <summary>
    /// Returns whether a fault was caused by a connection that broke while in use. The driver then meets objects that
    /// it has already disposed, and throws exceptions of other types.
    /// </summary>
    public static bool IsBreak(NpgsqlConnection connection, Exception fault) =>
        fault is ObjectDisposedException
        || (fault is InvalidOperationException or NullReferenceException && connection.State != ConnectionState.Open);

    public static NpgsqlException Broken(Exception fault) =>
        new("The connection to the database broke while it was used.", fault);

    /// <summary>Sends the queued statements and one more, in one round trip.</summary>
    private async ValueTask SendAsync(Queued? last, CancellationToken until)
    {
        var sent = Take(last);
        await using var batch = new NpgsqlBatch(connection, transaction);
        foreach (var one in sent)
            batch.BatchCommands.Add(one.Command);
        HasSent = true;
        try
        {
            await using var reader = await batch.ExecuteReaderAsync(until);
            var isFirst = true;
            foreach (var one in sent)
            {
                if (one.Read is null)
                    continue;
                if (!isFirst)
                    await reader.NextResultAsync(until);
                isFirst = false;
                await one.Read(reader);
            }
            // Read to the end: the fault of a statement without rows appears here.
            while (await reader.NextResultAsync(until)) { }
        }
        catch (PostgresException fault) when (HasChangedNone(sent, fault) is { } orElse)
        {
            throw orElse();
        }
        catch (Exception fault) when (IsBreak(connection, fault))
        {
            throw Broken(fault);
        }
    }

    private List<Queued> Take(Queued? last)
    {
        var sent = new List<Queued>(_queued.Count + 2);
        if (!_isBounded)
        {
            // Without a transaction, the statement needs the limits in the implicit one that the two share.
            sent.Add(new Queued(new NpgsqlBatchCommand(Bounds), Skip));
            _isBounded = transaction is not null;
        }
        sent.AddRange(_queued);
        _queued.Clear();
        if (last is not null)
            sent.Add(last);
        return sent;
    }

    /// <summary>
    /// The statement, in a form that fails in the server when it does not change exactly one row. Then nothing behind
    /// it runs, not even the commit. The server's log shows this text.
    /// </summary>
    private static string ChangesOne(string sql) =>
        $"""
            WITH changed AS ({sql} RETURNING 1)
            SELECT CASE COUNT(*) WHEN 1 THEN 1 ELSE CAST('one row was to change, not ' || COUNT(*) AS bigint) END
            FROM changed
            """;

    private static Func<Exception>? HasChangedNone(List<Queued> sent, PostgresException fault) =>
        fault.SqlState == PostgresErrorCodes.InvalidTextRepresentation
            ? sent.Find(one => ReferenceEquals(one.Command, fault.BatchCommand))?.OrElse
            : null;

    private async ValueTask<T?> FirstAsync<T>(NpgsqlDataReader reader, Func<DbDataReader, T> map) =>
        await reader.ReadAsync(cancel) ? map(reader) : default;

    private async ValueTask<List<T>> ListAsync<T>(NpgsqlDataReader reader, Func<DbDataReader, T> map)
    {
        var rows = new List<T>();
        while (await reader.ReadAsync(cancel))
            rows.Add(map(reader));
        return rows;
    }

    private static ValueTask Skip(NpgsqlDataReader reader) => default;

    private NpgsqlBatchCommand Command(string sql, object?[] args)
    {
#if DEBUG
        if (transaction is not null)
            _order.Check(sql, args);
#endif
        var command = new NpgsqlBatchCommand(sql);
        foreach (var arg in args)
            command.Parameters.Add(ParameterOf(arg));
        return command;
    }

    private static NpgsqlParameter ParameterOf(object? arg) =>
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
            _ => throw new NotSupportedException("Columns are text, bigint or bytes; not " + arg.GetType().Name),
        };

    /// <summary>A statement that is sent together with others.</summary>
    /// <param name="Command">Its text and its parameters.</param>
    /// <param name="Read">Reads its rows; null where it gives none.</param>
    private sealed record Queued(NpgsqlBatchCommand Command, Func<NpgsqlDataReader, ValueTask>? Read = null)
    {
        /// <summary>Makes the exception for a statement that does not change exactly one row.</summary>
        public Func<Exception>? OrElse { get; init; }
    }
}
