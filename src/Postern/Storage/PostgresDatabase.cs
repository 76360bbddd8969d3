using System.Diagnostics;
using Npgsql;

namespace Postern.Storage;

/// <summary>
/// PostgreSQL, shared by any number of nodes: a transaction a command at read committed, rows that a decision depends
/// on locked by <see cref="Tx.ForUpdate"/>, serialization failures and deadlocks run again. Nothing rests on a
/// session-level setting, so a pooler in transaction mode may stand between; LISTEN is a hint only
/// (<see cref="PostgresRelay"/>).
///
/// A row that another transaction holds is waited for <see cref="LockTime"/>, and then the command is given up: what is
/// held costs those who want it that long (<see cref="PostgresPlaces"/>).
///
/// On a crash of the node or the connection PostgreSQL rolls back what had not been committed. A connection that is
/// lost while a commit is on its way leaves the outcome unknown: the caller gets
/// <see cref="StorageOutcomeUnknownException"/> and the client's repeat, under the same id, finds the first outcome.
/// </summary>
internal sealed class PostgresDatabase : Database
{
    /// <summary>How long a command waits for a row that another holds.</summary>
    public static readonly TimeSpan LockTime = TimeSpan.FromSeconds(2);

    /// <summary>How long one statement of a command may take.</summary>
    public static readonly TimeSpan StatementTime = TimeSpan.FromSeconds(12);

    /// <summary>How long a search may take, as its client sees it.</summary>
    private static readonly TimeSpan SearchTime = TimeSpan.FromSeconds(5);

    private const int MaxTries = 8;
    private const int MaxDoublings = 4;

    private readonly PostgresPlaces _places;
    private readonly TimeProvider _timestamps;
    private readonly SteadyClock _clock;
    private readonly PostgresRelay _relay;
    private int _inFlight;

    public PostgresDatabase(string connectionString, TimeProvider clock)
    {
        (_timestamps, _clock) = (clock, new SteadyClock(clock));
        _places = new PostgresPlaces(PostgresConnection.SettingsOf(connectionString));
        Positions = new PostgresPositions(clock);
        _relay = new PostgresRelay(_places.Vital, Changes, clock);
        Changes.RelayTo(_relay.Tell);
        StorageMeter.ObserveQueue(() => _inFlight);
    }

    public override long Now => _clock.Now;

    public override string Kind => "postgresql";

    public override int QueuedWrites => _inFlight;

    public override async ValueTask<StorageRoom> RoomAsync() =>
        new(
            await ReadAsync(tx =>
                tx.FirstAsync<long?>("SELECT pg_database_size(current_database())", r => r.GetInt64(0))
            ),
            null
        );

    internal PostgresPositions Positions { get; }

    public static NpgsqlDataSource CreateSource(string connectionString) =>
        PostgresConnection.Open(PostgresConnection.SettingsOf(connectionString));

    /// <summary>Measures how far the database's clock is from this machine's, and begins to hear other nodes.</summary>
    public async Task StartAsync(CancellationToken cancel)
    {
        await FollowClockAsync(cancel);
        _relay.Start();
    }

    /// <summary>
    /// Measures the database's clock around the statement alone: what came before it, a wait for a connection, is no
    /// part of its way.
    /// </summary>
    public override Task<long> FollowClockAsync(CancellationToken cancel) =>
        ReadAsync(
                async tx =>
                {
                    // The first statement of a connection takes longer than the others.
                    await tx.FirstAsync("SELECT 1", r => r.GetInt32(0));
                    var before = _timestamps.GetTimestamp();
                    var theirs = await tx.FirstAsync(
                        "SELECT (extract(epoch from clock_timestamp()) * 1000000)::bigint",
                        r => r.GetInt64(0)
                    );
                    return _clock.FollowServer(theirs, before);
                },
                cancel
            )
            .AsTask();

    public override async Task<T> WriteAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default)
    {
        using var span = StorageMeter.Source.StartActivity("postern.store.write");
        Interlocked.Increment(ref _inFlight);
        var began = Stopwatch.GetTimestamp();
        await using var outside = new DoneOutside(Changes);
        var commit = new Commit();
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    using var passing = DriverCancellation.Of(cancel);
                    var until = passing?.Token ?? default;
                    await using var place = await _places.TakeAsync(writes: true, until);
                    await using var transaction = await BeginAsync(place.Connection!, until);
                    var tx = new PostgresTx(place.Connection!, transaction, isBounded: true, this);
                    var result = await RunAsync(() => command(tx), place);
                    commit.Topics = tx.Touched;
                    await RunAsync(() => CommitAsync(place.Connection!, tx, commit), place);
                    Told(tx);
                    Committed(1, Stopwatch.GetElapsedTime(began));
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
        catch (Exception fault) when (commit.Lost is not null || IsUnavailable(fault))
        {
            // It may be committed: whoever listens looks.
            if (commit.Lost is not null)
                Changes.Committed(commit.Topics);
            // Putting down what the commit was lost with has faults of its own.
            throw commit.Lost ?? Failed(fault);
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
                    return await WriteOneOnceAsync(command, began, cancel);
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
            throw Failed(fault);
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }

    public override async ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> query, CancellationToken cancel = default)
    {
        using var passing = DriverCancellation.Of(cancel);
        var until = passing?.Token ?? default;
        try
        {
            await using var place = await _places.TakeAsync(writes: false, until);
            return await query(new PostgresTx(place.Connection!, null, isBounded: false, this, until));
        }
        catch (PostgresException fault) when (IsHeldUp(fault))
        {
            throw HeldUp(fault);
        }
        catch (Exception fault) when (IsUnavailable(fault))
        {
            throw Unreachable(fault);
        }
    }

    public override async ValueTask<T> SearchAsync<T>(Func<Tx, ValueTask<T>> query)
    {
        var gone = StorageUse.Current.Gone;
        using var until = CancellationTokenSource.CreateLinkedTokenSource(gone);
        until.CancelAfter(SearchTime);
        var leave = default(Action);
        try
        {
            leave = await _places.EnterSearchAsync(until.Token);
            return await ReadAsync(query, until.Token);
        }
        catch (OperationCanceledException) when (!gone.IsCancellationRequested)
        {
            throw new StorageBusyException("The search took too long.");
        }
        finally
        {
            leave?.Invoke();
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await _relay.DisposeAsync();
        await _places.DisposeAsync();
    }

    private async Task<T> WriteOneOnceAsync<T>(Func<Tx, ValueTask<T>> command, long began, CancellationToken cancel)
    {
        using var passing = DriverCancellation.Of(cancel);
        await using var place = await _places.TakeAsync(writes: true, passing?.Token ?? default);
        var tx = new PostgresTx(place.Connection!, null, isBounded: true, this);
        T result;
        try
        {
            result = await RunAsync(WholeAsync, place);
        }
        catch (Exception fault) when (tx.HasSent && LeavesOpen(fault))
        {
            // The statement is its own commit.
            Changes.Committed(tx.Touched);
            throw Unknown(fault);
        }
        Told(tx);
        Committed(1, Stopwatch.GetElapsedTime(began));
        return result;

        async ValueTask<T> WholeAsync()
        {
            var done = await command(tx);
            await tx.FlushAsync();
            return done;
        }
    }

    /// <summary>Runs a command or its commit; a row that is held for too long is said to be that.</summary>
    private static async ValueTask<T> RunAsync<T>(Func<ValueTask<T>> step, PostgresPlace place)
    {
        try
        {
            return await step();
        }
        catch (PostgresException fault) when (IsHeldUp(fault))
        {
            place.MetHeldRow = true;
            throw HeldUp(fault);
        }
        catch (PostgresException fault) when (fault.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            throw new UniqueViolationException(fault);
        }
    }

    /// <summary>
    /// Whether a time ran out: one that this server set for a lock or a statement, or one of the operator's.
    /// </summary>
    private static bool IsHeldUp(PostgresException fault) =>
        fault.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled;

    private static StorageBusyException HeldUp(PostgresException fault) =>
        new(
            fault.SqlState == PostgresErrorCodes.LockNotAvailable
                ? "A row that the command needs is held by another."
                : "A statement took too long.",
            fault
        );

    private static async Task<NpgsqlTransaction> BeginAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        try
        {
            return await connection.BeginTransactionAsync(cancel);
        }
        catch (Exception fault) when (PostgresTx.IsBreak(connection, fault))
        {
            throw PostgresTx.Broken(fault);
        }
    }

    private async ValueTask<bool> CommitAsync(NpgsqlConnection connection, PostgresTx tx, Commit commit)
    {
        try
        {
            await tx.CommitAsync();
            return true;
        }
        catch (Exception fault) when (PostgresTx.IsBreak(connection, fault))
        {
            commit.Lost = Unknown(PostgresTx.Broken(fault));
            throw commit.Lost;
        }
        catch (Exception fault) when (LeavesOpen(fault))
        {
            commit.Lost = Unknown(fault);
            throw;
        }
    }

    /// <summary>
    /// Whether a fault of a commit leaves open what became of it: the server says that it failed, or nothing is known.
    /// </summary>
    internal static bool LeavesOpen(Exception fault) =>
        fault switch
        {
            // 40003 and 08007 say so themselves; a server that is going down may have committed before it says that it
            // is.
            PostgresException p => p.SqlState
                is PostgresErrorCodes.StatementCompletionUnknown
                    or PostgresErrorCodes.TransactionResolutionUnknown
                    or ['5', '7', 'P', ..],
            NpgsqlException or TimeoutException or IOException or System.Net.Sockets.SocketException => true,
            _ => false,
        };

    private StorageOutcomeUnknownException Unknown(Exception fault)
    {
        Writes.Failed();
        return new("The connection to the database was lost behind a commit.", fault);
    }

    /// <summary>A write that the database did not take.</summary>
    private StorageUnavailableException Failed(Exception fault)
    {
        Writes.Failed();
        return Unreachable(fault);
    }

    private static StorageUnavailableException Unreachable(Exception fault) =>
        new("The database cannot be reached.", fault);

    private static bool IsConflict(PostgresException fault) =>
        fault.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected;

    /// <summary>
    /// Before the next try: 10 to 100 ms at random, doubled with each. Those that met and try again at once meet again.
    /// </summary>
    private Task PauseAsync(int attempt, CancellationToken cancel)
    {
        StorageMeter.Repeated();
        var pause = Random.Shared.Next(10, 101) << Math.Min(attempt - 1, MaxDoublings);
        return Task.Delay(TimeSpan.FromMilliseconds(pause), _timestamps, cancel);
    }

    /// <summary>It is committed: what remembers is marked, and the others are told after the answer.</summary>
    private void Told(PostgresTx tx)
    {
        Writes.Succeeded();
        Changes.Marked(tx.Touched);
        Tally.Add(tx.Tallied);
        Changes.Committed(tx.Touched);
    }

    internal static bool IsUnavailable(Exception fault) =>
        fault switch
        {
            // Class 08 connection, 53 resources, 57P shutdown, 25006 a replica that takes no writes.
            PostgresException p => p.SqlState
                is PostgresErrorCodes.CannotConnectNow
                    or ['0', '8', ..]
                    or ['5', '3', ..]
                    or ['5', '7', 'P', ..]
                    or "25006",
            NpgsqlException => true,
            TimeoutException or System.Net.Sockets.SocketException => true,
            _ => false,
        };

    private sealed class Commit
    {
        /// <summary>Set when it was sent, and its outcome was not heard.</summary>
        public StorageOutcomeUnknownException? Lost { get; set; }

        /// <summary>What it is about.</summary>
        public IReadOnlyCollection<string> Topics { get; set; } = [];
    }
}
