namespace Postern.Storage;

/// <summary>
/// The interface between the product and its database. It has two implementations, <see cref="SqliteDatabase"/> and
/// <see cref="PostgresDatabase"/>; one contract suite runs on both.
///
/// When <see cref="WriteAsync{T}"/> returns, the command is committed to disk. When it throws, nothing of the command
/// was written, except with <see cref="StorageOutcomeUnknownException"/>: then nobody knows. A command may run more
/// than once (PostgreSQL retries serialization failures), so it changes nothing but its transaction. Topics are
/// announced after the commit, never before.
///
/// Commands are written once, as asynchronous methods. On SQLite every call inside one completes synchronously, so the
/// command runs to its end on the writer's thread.
/// </summary>
internal abstract class Database : IAsyncDisposable
{
    /// <summary>Runs a command in a transaction of its own and returns after its commit is on disk.</summary>
    /// <exception cref="StorageUnavailableException">
    /// The database cannot be reached or takes no more work: nothing was written.</exception>
    /// <exception cref="StorageBusyException">Others hold what the command needs: nothing was written.</exception>
    /// <exception cref="StorageOutcomeUnknownException">The commit was sent and its outcome was not heard.</exception>
    public abstract Task<T> WriteAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default);

    /// <summary>
    /// Like <see cref="WriteAsync{T}"/>, for a command that writes with at most one statement where
    /// <see cref="Tx.WritesInQueries"/> is true. That statement is its own transaction, so the command costs one round
    /// trip.
    /// </summary>
    public abstract Task<T> WriteOneAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default);

    /// <summary>Runs a query that sees every commit made before it began.</summary>
    public abstract ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> query, CancellationToken cancel = default);

    /// <summary>
    /// Like <see cref="ReadAsync{T}"/>, for a query whose length a client chooses (a list with filters). Such queries
    /// share a part of the places for requests, have a time limit, and end with the request that asks.
    /// </summary>
    public abstract ValueTask<T> SearchAsync<T>(Func<Tx, ValueTask<T>> query);

    /// <summary>
    /// The database's clock, in microseconds since 1970. Leases and deadlines are measured by it on every node.
    /// </summary>
    public abstract long Now { get; }

    /// <summary>
    /// Compares <see cref="Now"/> with the clock that it follows, the database server's or the machine's own. Repeated
    /// by the loop that watches for changes. Returns how far it was off, in microseconds.
    /// </summary>
    public abstract Task<long> FollowClockAsync(CancellationToken cancel);

    /// <summary>
    /// Whether only this process uses the database. Then every lease that exists at the start belongs to a process that
    /// has ended.
    /// </summary>
    public abstract bool IsEmbedded { get; }

    /// <summary>"sqlite" or "postgresql": for logs, metrics and the health document.</summary>
    public abstract string Kind { get; }

    /// <summary>Announces the commits of this node and the hints of others.</summary>
    public virtual Changes Changes { get; } = new();

    /// <summary>Whether writes succeed: for readiness.</summary>
    public virtual WriteHealth Writes { get; } = new();

    /// <summary>What this node counts, until it is kept.</summary>
    public virtual Tally Tally { get; } = new();

    /// <summary>Number of commands that wait for the writer or run.</summary>
    public virtual int QueuedWrites => 0;

    /// <summary>Returns the size of the database and its free room.</summary>
    public virtual ValueTask<StorageRoom> RoomAsync() => new(new StorageRoom(null, null));

    public abstract ValueTask DisposeAsync();

    /// <summary>Reports a commit.</summary>
    protected void Committed(int commands, TimeSpan took)
    {
        StorageMeter.Committed(commands, took);
        Tally.AddSpan(Tally.Server, Measure.CommitTime, (long)took.TotalMicroseconds);
    }
}
