using System.Diagnostics;
using Npgsql;

namespace Postern.Storage;

/// <summary>
/// PostgreSQL, shared by any number of nodes. Each command is a transaction at read committed. Rows that a decision
/// depends on are locked by <see cref="Tx.ForUpdate"/>. Serialization failures and deadlocks are run again. Nothing
/// depends on a session-level setting, so a pooler in transaction mode may stand between; LISTEN is only a hint
/// (<see cref="PostgresRelay"/>).
///
/// A command waits at most <see cref="LockTime"/> for a row that another transaction holds, and then fails. A held row
/// costs only the commands that need it (<see cref="PostgresPlaces"/>).
///
/// When the node or the connection fails, PostgreSQL rolls back what was not committed. When the connection is lost
/// during a commit, the outcome is unknown: the caller gets <see cref="StorageOutcomeUnknownException"/>. A client that
/// repeats its request under the same id finds the first outcome.
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

    public override bool IsEmbedded => false;

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
    /// Measures only the statement. The wait for a connection before it must not count as its travel time.
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
                    commit.Topics = tx.NotifiedTopics;
                    await RunAsync(() => CommitAsync(place.Connection!, tx, commit), place);
                    Announce(tx);
                    Committed(1, Stopwatch.GetElapsedTime(began));
                    return result;
                }
                catch (PostgresException fault) when (attempt < MaxTries && PostgresFaults.IsConflict(fault))
                {
                    // The transaction did not happen: try again.
                    await PauseAsync(attempt, cancel);
                }
                catch (OutsideFirstException first)
                {
                    // This one did not happen either. Its connection is released, and the work that it needs is done.
                    await outside.DoAsync(first);
                    attempt--;
                }
            }
        }
        catch (Exception fault) when (commit.Lost is not null || PostgresFaults.IsUnavailable(fault))
        {
            // It may be committed, so all listeners are woken.
            if (commit.Lost is not null)
                Changes.Committed(commit.Topics);
            // Closing what the commit was lost with may fail too.
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
                catch (PostgresException fault) when (attempt < MaxTries && PostgresFaults.IsConflict(fault))
                {
                    // The statement did not happen: try again.
                    await PauseAsync(attempt, cancel);
                }
            }
        }
        catch (Exception fault) when (PostgresFaults.IsUnavailable(fault))
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
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    await using var place = await _places.TakeAsync(writes: false, until);
                    return await RunAsync(
                        () => query(new PostgresTx(place.Connection!, null, isBounded: false, this, until)),
                        place
                    );
                }
                catch (PostgresException fault) when (attempt < MaxTries && PostgresFaults.IsOfPreparing(fault))
                {
                    // The connection prepares it anew.
                }
            }
        }
        catch (Exception fault) when (PostgresFaults.IsUnavailable(fault))
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
        catch (Exception fault) when (tx.HasSent && PostgresFaults.LeavesOpen(fault))
        {
            // The statement is its own commit.
            Changes.Committed(tx.NotifiedTopics);
            throw Unknown(fault);
        }
        Announce(tx);
        Committed(1, Stopwatch.GetElapsedTime(began));
        return result;

        async ValueTask<T> WholeAsync()
        {
            var done = await command(tx);
            await tx.FlushAsync();
            return done;
        }
    }

    /// <summary>
    /// Runs a command or its commit. A row that is held for too long becomes a <see cref="StorageBusyException"/>.
    /// </summary>
    private static async ValueTask<T> RunAsync<T>(Func<ValueTask<T>> step, PostgresPlace place)
    {
        try
        {
            return await step();
        }
        catch (PostgresException fault) when (PostgresFaults.IsHeldUp(fault))
        {
            place.MetHeldRow = true;
            throw PostgresFaults.HeldUp(fault);
        }
        catch (PostgresException fault) when (fault.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            throw new UniqueViolationException(fault);
        }
        catch (PostgresException fault) when (PostgresFaults.IsOfPreparing(fault))
        {
            place.HasLostStatements = true;
            throw;
        }
    }

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
        catch (Exception fault) when (PostgresFaults.LeavesOpen(fault))
        {
            commit.Lost = Unknown(fault);
            throw;
        }
    }

    private StorageOutcomeUnknownException Unknown(Exception fault)
    {
        Writes.Failed();
        return new("The connection to the database was lost behind a commit.", fault);
    }

    /// <summary>A write that the database did not accept.</summary>
    private StorageUnavailableException Failed(Exception fault)
    {
        Writes.Failed();
        return Unreachable(fault);
    }

    private static StorageUnavailableException Unreachable(Exception fault) =>
        new("The database cannot be reached.", fault);

    /// <summary>
    /// The pause before the next try: 10 to 100 ms at random, doubled each time. Without it, transactions that collided
    /// would collide again.
    /// </summary>
    private Task PauseAsync(int attempt, CancellationToken cancel)
    {
        StorageMeter.Repeated();
        var pause = Random.Shared.Next(10, 101) << Math.Min(attempt - 1, MaxDoublings);
        return Task.Delay(TimeSpan.FromMilliseconds(pause), _timestamps, cancel);
    }

    /// <summary>
    /// It is committed: caches are marked as stale now, and the other nodes are told after the answer.
    /// </summary>
    private void Announce(PostgresTx tx)
    {
        Writes.Succeeded();
        Changes.Marked(tx.NotifiedTopics);
        Tally.Add(tx.Tallied);
        Changes.Committed(tx.NotifiedTopics);
    }

    private sealed class Commit
    {
        /// <summary>Set when the commit was sent and its outcome is not known.</summary>
        public StorageOutcomeUnknownException? Lost { get; set; }

        /// <summary>What it is about.</summary>
        public IReadOnlyCollection<string> Topics { get; set; } = [];
    }
}
