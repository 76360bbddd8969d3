namespace Postern.Storage;

/// <summary>
/// The one seam between the product and what keeps its data. Two implementations: <see cref="SqliteDatabase"/> and
/// <see cref="PostgresDatabase"/>; one contract suite runs on both.
///
/// What always holds: when <see cref="WriteAsync{T}"/> returns, the command is committed to disk; when it throws,
/// nothing of the command is there, except where it says that nobody knows
/// (<see cref="StorageOutcomeUnknownException"/>). A command may be run more than once (PostgreSQL retries
/// serialization failures), so it changes nothing but its transaction. Topics touched by a command are announced after
/// its commit, never before.
///
/// Commands are written once, as asynchronous methods. On SQLite every call inside one completes synchronously, so the
/// command runs to its end on the writer's thread.
/// </summary>
internal abstract class Database : IAsyncDisposable
{
    /// <summary>Runs a command in a transaction of its own and returns after its commit is on disk.</summary>
    /// <exception cref="StorageUnavailableException">
    /// The database cannot be reached or takes no more work: nothing was written.
    /// </exception>
    /// <exception cref="StorageBusyException">Others hold what the command needs: nothing was written.</exception>
    /// <exception cref="StorageOutcomeUnknownException">The commit was sent and its outcome was not heard.</exception>
    public abstract Task<T> WriteAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default);

    /// <summary>
    /// Like <see cref="WriteAsync{T}"/> for a command that writes by one statement at most where
    /// <see cref="Tx.WritesInQueries"/>: the statement is its own transaction, and its one round trip is all that the
    /// command costs.
    /// </summary>
    public abstract Task<T> WriteOneAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default);

    /// <summary>Runs a query that sees every commit made before it began.</summary>
    public abstract ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> query, CancellationToken cancel = default);

    /// <summary>
    /// The same for a query whose length a client chooses (a list with filters): these have a part of the places for
    /// requests, a bounded time, and end with the request that asks.
    /// </summary>
    public abstract ValueTask<T> SearchAsync<T>(Func<Tx, ValueTask<T>> query);

    /// <summary>
    /// The database's clock, microseconds since 1970: what leases and deadlines are measured by on every node.
    /// </summary>
    public abstract long Now { get; }

    /// <summary>
    /// Compares <see cref="Now"/> with the clock that it follows, the database server's or the machine's own. Repeated
    /// by the loop that watches for changes. Returns how far it was off, in microseconds.
    /// </summary>
    public abstract Task<long> FollowClockAsync(CancellationToken cancel);

    /// <summary>
    /// Whether the database is this process's own: what is leased in it at a start was leased by a process that has
    /// gone.
    /// </summary>
    public virtual bool IsEmbedded => false;

    /// <summary>"sqlite" or "postgresql": for logs, metrics and the health document.</summary>
    public abstract string Kind { get; }

    /// <summary>What commits of this node, and hints from others, are announced to.</summary>
    public virtual Changes Changes { get; } = new();

    /// <summary>Whether writes succeed: for readiness.</summary>
    public virtual WriteHealth Writes { get; } = new();

    /// <summary>What this node counts, until it is kept.</summary>
    public virtual Tally Tally { get; } = new();

    /// <summary>Commands that wait for the writer, or are under way.</summary>
    public virtual int QueuedWrites => 0;

    /// <summary>How large the database is, and what room it has.</summary>
    public virtual ValueTask<StorageRoom> RoomAsync() => new(new StorageRoom(null, null));

    public abstract ValueTask DisposeAsync();

    /// <summary>Reports a commit.</summary>
    protected void Committed(int commands, TimeSpan took)
    {
        StorageMeter.Committed(commands, took);
        Tally.AddSpan(Tally.Server, Measure.CommitTime, (long)took.TotalMicroseconds);
    }
}
