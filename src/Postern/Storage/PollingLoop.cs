namespace Postern.Storage;

/// <summary>
/// A loop that polls each second for overdue work. Beside it, once a minute, it removes rows that are too old. No
/// deadline waits for the removal. A fault in one poll does not end the loop. While the database cannot be reached, it
/// waits.
/// </summary>
internal abstract class PollingLoop(TimeProvider clock, ILogger log) : BackgroundService
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SweepEvery = TimeSpan.FromMinutes(1);

    /// <summary>How many items are settled at the same time.</summary>
    protected const int Page = 100;

    /// <summary>How many items that failed one poll passes over to reach the others.</summary>
    private const int MaxPassed = 2_000;

    private readonly SetAside _aside = new(clock);
    private readonly SemaphoreSlim _sweeping = new(1, 1);

    protected ILogger Log { get; } = log;

    /// <summary>Settles what is overdue. A loop without deadlines only removes rows.</summary>
    protected virtual Task PollAsync(CancellationToken stop) => Task.CompletedTask;

    /// <summary>
    /// Settles everything that is due, page after page. The items of a page run together, so that they share commits.
    /// An item that cannot be settled is passed over and tried again by the next poll; after several failures, later
    /// and later.
    /// </summary>
    /// <param name="find">So many at most, those first that are due longest.</param>
    /// <param name="key">Names one of them, in the log too.</param>
    /// <param name="settle">False: there was nothing to do, or not yet.</param>
    /// <param name="stop">Ends it between two pages.</param>
    protected async Task AllAsync<T>(
        Func<int, ValueTask<List<T>>> find,
        Func<T, string> key,
        Func<T, Task<bool>> settle,
        CancellationToken stop
    )
    {
        var passed = new HashSet<string>(StringComparer.Ordinal);
        var before = new HashSet<string>(StringComparer.Ordinal);
        while (!stop.IsCancellationRequested)
        {
            var limit = Page + passed.Count;
            var found = await find(limit);
            // An item that was settled and is found again would be due for ever.
            passed.UnionWith(found.Select(key).Where(before.Contains));
            var due = found.Where(one => !passed.Contains(key(one))).ToList();
            var settled = await Task.WhenAll(due.Select(one => IsSettledAsync(key(one), () => settle(one))));
            before.Clear();
            for (var i = 0; i < due.Count; i++)
                (settled[i] ? before : passed).Add(key(due[i]));
            if (found.Count < limit || passed.Count > MaxPassed)
                return;
        }
    }

    protected virtual Task SweepAsync(CancellationToken stop) => Task.CompletedTask;

    /// <summary>Removes what is too old now. Two removals of one loop never run beside each other.</summary>
    public async Task SweepOnceAsync(CancellationToken stop)
    {
        await _sweeping.WaitAsync(stop);
        try
        {
            await SweepAsync(stop);
        }
        finally
        {
            _sweeping.Release();
        }
    }

    protected sealed override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(RepeatAsync(PollInterval, PollAsync, stoppingToken), SweepForEverAsync(stoppingToken));

    private async Task SweepForEverAsync(CancellationToken stop)
    {
        // The first removal comes soon after the start, because a server may restart more often than once a minute.
        await Task.Delay(PollInterval, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await OnceAsync(SweepOnceAsync, stop);
        await RepeatAsync(SweepEvery, SweepOnceAsync, stop);
    }

    private async Task RepeatAsync(TimeSpan every, Func<CancellationToken, Task> act, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
                await OnceAsync(act, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The server is stopping.
        }
    }

    private async Task OnceAsync(Func<CancellationToken, Task> act, CancellationToken stop)
    {
        if (stop.IsCancellationRequested)
            return;
        try
        {
            await act(stop);
        }
        catch (StorageUnavailableException fault)
        {
            PollLog.Waits(Log, GetType().Name, fault.Message);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The server is stopping.
        }
        catch (Exception fault)
        {
            PollLog.Failed(Log, GetType().Name, fault);
        }
    }

    private async Task<bool> IsSettledAsync(string key, Func<Task<bool>> settle)
    {
        if (_aside.Holds(key))
            return false;
        var isDone = false;
        var isTried = await OneAsync(
            key,
            async () =>
            {
                isDone = await settle();
                return true;
            }
        );
        if (isTried)
            _aside.Forget(key);
        else
            _aside.Failed(key);
        return isDone;
    }

    /// <summary>Handles one item of a poll. A failure is logged and does not stop the other items.</summary>
    protected Task OneAsync(string id, Func<Task> act) =>
        OneAsync(
            id,
            async () =>
            {
                await act();
                return true;
            }
        );

    /// <summary>Does the same, and also returns false after a failure.</summary>
    protected async Task<bool> OneAsync(string id, Func<Task<bool>> act)
    {
        try
        {
            return await act();
        }
        // The row of this item is held by another transaction. The other items are settled.
        catch (Exception fault) when (fault is StorageBusyException or not StorageUnavailableException)
        {
            PollLog.OneFailed(Log, id, fault);
            return false;
        }
    }
}
