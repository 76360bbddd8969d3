using System.Data.Common;

namespace Postern.Storage;

/// <summary>
/// The one seam between the product and what keeps its data. Two implementations: <see cref="SqliteDatabase"/> and
/// <see cref="PostgresDatabase"/>; one contract suite runs on both.
///
/// What always holds: when <see cref="WriteAsync{T}"/> returns, the command is committed to disk; when it throws, nothing of
/// the command is there, except where it says that nobody knows (<see cref="StorageOutcomeUnknownException"/>). A
/// command may be run more than once (PostgreSQL retries serialization failures), so it changes
/// nothing but its transaction. Topics touched by a command are announced after its commit, never before.
///
/// Commands are written once, as asynchronous methods. On SQLite every call inside one completes synchronously, so the
/// command runs to its end on the writer's thread.
/// </summary>
internal abstract class Database : IAsyncDisposable
{
    /// <summary>Runs a command in a transaction of its own and returns after its commit is on disk.</summary>
    /// <exception cref="StorageUnavailableException">The database cannot be reached or takes no more work: nothing was written.</exception>
    /// <exception cref="StorageBusyException">Others hold what the command needs: nothing was written.</exception>
    /// <exception cref="StorageOutcomeUnknownException">The commit was sent and its outcome was not heard.</exception>
    public abstract Task<T> WriteAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default);

    /// <summary>
    /// Like <see cref="WriteAsync{T}"/> for a command that writes by one statement at most where <see cref="Tx.WritesInQueries"/>: the
    /// statement is its own transaction, and its one round trip is all that the command costs.
    /// </summary>
    public abstract Task<T> WriteOneAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default);

    /// <summary>Runs a query that sees every commit made before it began.</summary>
    public abstract ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> query, CancellationToken cancel = default);

    /// <summary>
    /// The same for a query whose length a client chooses (a list with filters): these have a part of the places for
    /// requests, a bounded time, and end with the request that asks.
    /// </summary>
    public abstract ValueTask<T> SearchAsync<T>(Func<Tx, ValueTask<T>> query);

    /// <summary>The database's clock, microseconds since 1970: what leases and deadlines are measured by on every node.</summary>
    public abstract long Now { get; }

    /// <summary>
    /// Compares <see cref="Now"/> with the clock that it follows, the database server's or the machine's own. Repeated
    /// by the loop that watches for changes. Returns how far it was off, in microseconds.
    /// </summary>
    public abstract Task<long> FollowClockAsync(CancellationToken cancel);

    /// <summary>"sqlite" or "postgresql": for logs, metrics and the health document.</summary>
    public abstract string Kind { get; }

    /// <summary>What commits of this node, and hints from others, are announced to.</summary>
    public virtual Changes Changes { get; } = new();

    /// <summary>Whether writes succeed: for readiness.</summary>
    public virtual WriteHealth Writes { get; } = new();

    public abstract ValueTask DisposeAsync();
}

/// <summary>
/// A transaction, or a read, that statements run in. SQL is one text for both databases, with positional parameters
/// <c>$1…</c>; text, bigint and bytes are the only column types.
/// </summary>
internal abstract class Tx
{
    private List<string>? _touched;

    /// <summary>Whether a query may hold statements that write (<c>WITH … AS (UPDATE … RETURNING …)</c>): PostgreSQL; SQLite runs them one after another.</summary>
    public abstract bool WritesInQueries { get; }

    /// <summary>
    /// Whether rows are on their way before the reader could do without them: PostgreSQL; SQLite makes each when it is
    /// asked for.
    /// </summary>
    public abstract bool SendsAhead { get; }

    /// <summary>Appended to a SELECT that a later write of this transaction depends on. Empty on SQLite, which has one writer.</summary>
    public abstract string ForUpdate { get; }

    /// <summary>Appended to a SELECT that claims due rows, so that two nodes do not wait for one another.</summary>
    public abstract string ForUpdateSkipLocked { get; }

    /// <summary>
    /// Appended to a SELECT of a row that must still be there when this transaction commits, and that it leaves as it
    /// is.
    /// </summary>
    public virtual string ForKeyShare => "";

    /// <summary>A condition: a column of text is one of the texts of a JSON list, which is one argument however long it is.</summary>
    public abstract string IsAnyOf(string column, string parameter);

    /// <summary>A condition: a column that is a JSON list of texts holds one of the texts of another.</summary>
    public abstract string HoldsAnyOf(string column, string parameter);

    public abstract long Now { get; }

    /// <summary>
    /// An expression in an INSERT into <c>event</c>: the place of what people follow by a cursor, behind everything
    /// that has happened before and that this transaction could know of.
    /// </summary>
    /// <param name="project">The parameter that holds the project.</param>
    /// <param name="now">The parameter that holds the time.</param>
    public abstract string NextPosition(string project, string now);

    /// <summary>
    /// The place behind which more may still appear: whoever is shown nothing beyond it misses nothing. What this
    /// node's caller has committed is up to it, unless another transaction has been under way for a second.
    /// </summary>
    public abstract ValueTask<long> SettledAsync();

    /// <summary>Runs a statement; the answer is the number of rows it changed.</summary>
    public abstract ValueTask<int> ExecuteAsync(string sql, params object?[] args);

    /// <summary>The first row, mapped; default when there is none.</summary>
    public abstract ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args);

    /// <summary>All rows, mapped. Every caller bounds them with a LIMIT.</summary>
    public abstract ValueTask<List<T>> ListAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args);

    /// <summary>
    /// The rows before the first one that is mapped to null: what follows it is not made. Only where
    /// <see cref="SendsAhead"/> is false.
    /// </summary>
    public virtual ValueTask<List<T>> ListUntilAsync<T>(string sql, Func<DbDataReader, T?> map, params object?[] args)
        where T : class =>
            throw new NotSupportedException("Rows are on their way already: the statement must bound them.");

    /// <summary>
    /// What was read once in this transaction and is asked for again and again; on SQLite one for all commands of a batch, which are committed
    /// together. Whoever changes it takes it out.
    /// </summary>
    public Dictionary<string, object> Memo { get; } = new(StringComparer.Ordinal);

    /// <summary>Announces a topic (a session's id, <see cref="Topics"/>) once this transaction has committed.</summary>
    public void Touch(string topic) => (_touched ??= []).Add(topic);

    internal IReadOnlyList<string> Touched => _touched ?? (IReadOnlyList<string>)[];

    internal void ForgetTouched(int keep) => _touched?.RemoveRange(keep, _touched.Count - keep);

    internal int TouchedCount => _touched?.Count ?? 0;
}

/// <summary>The topics that are not the id of a session.</summary>
internal static class Topics
{
    /// <summary>A key, a token's revocation or a secret changed.</summary>
    public const string Access = "access";

    /// <summary>A run became due.</summary>
    public const string Runs = "runs";

    /// <summary>A delivery became due.</summary>
    public const string Deliveries = "deliveries";

    /// <summary>A run of a <c>pull</c> agent can be claimed.</summary>
    public static string Claimable(string project, string agent) => project + "/claim/" + agent;

    /// <summary>A session was created under a name that clients may already be waiting on.</summary>
    public static string Named(string project, string externalId) => project + "/" + externalId;
}

internal static class RowExtensions
{
    public static string? TextOrNull(this DbDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    public static long? LongOrNull(this DbDataReader row, int column) => row.IsDBNull(column) ? null : row.GetInt64(column);

    public static byte[] Bytes(this DbDataReader row, int column) => row.GetFieldValue<byte[]>(column);

    public static byte[]? BytesOrNull(this DbDataReader row, int column) => row.IsDBNull(column) ? null : row.GetFieldValue<byte[]>(column);

    public static bool Flag(this DbDataReader row, int column) => row.GetInt64(column) != 0;
}
