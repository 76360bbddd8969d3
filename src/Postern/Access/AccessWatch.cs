using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// Keeps this node's memory of access equal to the database: before the answer to a change made here
/// (<see cref="RefreshAsync"/>), and within a second for a change made on another node or by the command line. It reads
/// one number, every <see cref="PollInterval"/> and at once on a hint. While the database cannot be reached, nothing
/// can have changed in it, and the read is repeated later.
///
/// With that number it reads the database's schema. When the database was brought to a newer schema, the node ends, so
/// that it never writes to a schema that it does not know.
/// </summary>
internal sealed class AccessWatch(
    Database database,
    KeyStore store,
    AccessInMemory kept,
    ConsoleSessions consoles,
    TimeProvider clock,
    ILogger<AccessWatch> log
) : BackgroundService
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(400);

    /// <summary>
    /// After this time, memory is too old to let anybody in: this process stood still, or its read hangs on a dead
    /// connection while other nodes work.
    /// </summary>
    private static readonly TimeSpan TooOld = TimeSpan.FromSeconds(1);

    /// <summary>How long one read may hang. Then it is abandoned, and made again on another connection.</summary>
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(2);

    /// <summary>A clock that is off by more microseconds than this is reported.</summary>
    private const long ClockTolerance = 1_000_000;

    private static readonly TimeSpan TidyEvery = TimeSpan.FromSeconds(20);
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly AsyncSignal _hint = new();
    private long _version;
    private bool _clockIsWrong;

    /// <summary>The timestamp at which the last successful read began; 0 before the first.</summary>
    private long _asOf;

    /// <summary>The timestamp at which the last failed read began; 0 before the first. Guarded by _one.</summary>
    private long _failed;

    /// <summary>Raised after a change was applied: open streams check their authority.</summary>
    public event Action? Changed;

    /// <summary>The last read of the database failed.</summary>
    public bool IsAway { get; private set; }

    /// <summary>Raised when the database becomes unreachable, and when it is back (<see cref="IsAway"/>).</summary>
    public event Action? Reached;

    private void Say(bool isAway)
    {
        if (IsAway == isAway)
            return;
        IsAway = isAway;
        Reached?.Invoke();
    }

    public async Task RefreshAsync()
    {
        if (await TakeOverAsync())
            Changed?.Invoke();
    }

    /// <summary>
    /// Called before somebody is let in. Makes sure that this node's memory is younger than a second, by reading if
    /// necessary. It costs nothing while the reads succeed in time.
    /// </summary>
    /// <exception cref="StorageUnavailableException">
    /// It cannot be read: nobody is let in by what was true once.</exception>
    public ValueTask EnsureRecentAsync() => IsRecent ? default : new ValueTask(RefreshIfOldAsync());

    private bool IsRecent => clock.GetElapsedTime(Volatile.Read(ref _asOf)) < TooOld;

    private async Task RefreshIfOldAsync()
    {
        // Requests that come together share one read.
        if (await TakeOverAsync(onlyIfOld: true))
            Changed?.Invoke();
    }

    private async Task<bool> TakeOverAsync(bool onlyIfOld = false)
    {
        // A revocation must not wait for other work.
        StorageUse.Begin(StorageUse.Vital);
        var asked = clock.GetTimestamp();
        if (!onlyIfOld)
            await _one.WaitAsync();
        else if (!await _one.WaitAsync(ReadTimeout))
            throw Unanswered(null);
        try
        {
            if (onlyIfOld && IsRecent)
                return false;
            // Requests that waited for a failed read fail with it. Otherwise each would wait for its own read.
            if (onlyIfOld && _failed > asked)
                throw Unanswered(null);
            var began = clock.GetTimestamp();
            var (version, schema) = await ReadVersionsAsync(began);
            EndIfNewer(schema);
            if (version == _version)
            {
                Volatile.Write(ref _asOf, began);
                return false;
            }
            await foreach (var page in store.ChangedSinceAsync(_version))
                kept.Keys.Refresh(page);
            await kept.Callbacks.RefreshAsync(_version);
            await kept.Services.RefreshAsync(_version);
            await consoles.RefreshAsync(_version);
            await foreach (var page in store.RevocationsSinceAsync(_version, database.Now))
                kept.Revocations.Add(page);
            // Set only after everything was read: a failed read is repeated from where it began.
            _version = version;
            Volatile.Write(ref _asOf, began);
            return true;
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<(long Access, long Schema)> ReadVersionsAsync(long began)
    {
        try
        {
            return await VersionsAsync();
        }
        catch (StorageUnavailableException)
        {
            _failed = began;
            throw;
        }
    }

    private static StorageUnavailableException Unanswered(Exception? fault) =>
        new("The database does not answer.", fault);

    private async Task<(long Access, long Schema)> VersionsAsync()
    {
        using var patience = new CancellationTokenSource(ReadTimeout, clock);
        try
        {
            // Cancelling a statement may take as long as the statement, so this does not wait for it.
            return await store.VersionsAsync(patience.Token).AsTask().WaitAsync(ReadTimeout, clock);
        }
        catch (Exception fault) when (fault is OperationCanceledException or TimeoutException)
        {
            throw Unanswered(fault);
        }
    }

    /// <summary>
    /// Writes when and from where keys were used on this node. Runs now and then, and before somebody reads it.
    /// </summary>
    public async Task WriteUseAsync()
    {
        var used = kept.Keys.TakeUsed();
        if (used.Count > 0)
            await store.MarkUsedAsync(used);
        var from = kept.Keys.TakeAddresses();
        if (from.Count > 0)
            await store.MarkAddressesAsync(from);
    }

    /// <summary>Raised once, when the node must end: see <see cref="EndedBecause"/>.</summary>
    public event Action? Ended;

    /// <summary>Why the node must end; null while it need not.</summary>
    public string? EndedBecause { get; private set; }

    private void EndIfNewer(long schema)
    {
        if (schema <= Migrations.Newest || EndedBecause is not null)
            return;
        EndedBecause = new SchemaTooNewException("under this node", (int)schema, Migrations.Newest).Message;
        AccessLog.SchemaTooNew(log, EndedBecause);
        Ended?.Invoke();
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        // Runs before the first request: a token that was revoked before a restart stays revoked.
        await RefreshAsync();
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var listening = database.Changes.Listen(Topics.Access, _hint.Set);
        var tidied = clock.GetTimestamp();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await _hint.WaitAsync(PollInterval, clock, stoppingToken);
                await RefreshAsync();
                Say(isAway: false);
                if (clock.GetElapsedTime(tidied) < TidyEvery)
                    continue;
                tidied = clock.GetTimestamp();
                await TidyAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (StorageUnavailableException fault)
            {
                AccessLog.WatchWaits(log, fault.Message);
                Say(isAway: true);
            }
            catch (Exception fault)
            {
                // A fault in one read does not end the loop, because keys must not stay valid through it.
                AccessLog.WatchFailed(log, fault);
            }
        }
    }

    public override void Dispose()
    {
        _one.Dispose();
        base.Dispose();
    }

    private async Task TidyAsync(CancellationToken stop)
    {
        var now = database.Now;
        kept.Revocations.Forget(now);
        consoles.Forget(now);
        var off = await database.FollowClockAsync(stop);
        var isWrong = Math.Abs(off) > ClockTolerance;
        if (isWrong && !_clockIsWrong)
            AccessLog.ClockIsOff(log, off / 1_000_000.0);
        _clockIsWrong = isWrong;
        await WriteUseAsync();
    }
}
