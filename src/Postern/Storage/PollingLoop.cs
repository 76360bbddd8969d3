namespace Postern.Storage;

/// <summary>
/// A loop that looks for what is overdue, each second, and beside it, once a minute, sweeps away what has been kept
/// long enough: however much there is to sweep, no deadline waits for it. A fault in one look does not end the looking;
/// while the database is away it waits.
/// </summary>
internal abstract class PollingLoop(TimeProvider clock, ILogger log) : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SweepEvery = TimeSpan.FromMinutes(1);

    /// <summary>How many are settled at once.</summary>
    protected const int Page = 100;

    /// <summary>How many that could not be settled one look passes over to reach the others.</summary>
    private const int MaxPassed = 2_000;

    private readonly SetAside _aside = new(clock);

    protected ILogger Log { get; } = log;

    protected abstract Task PollAsync(CancellationToken stop);

    /// <summary>
    /// Settles all that is due, page after page; those of a page at once, so that their commits are gathered. One that
    /// cannot be settled is passed over, and tried again by the next look; one that has failed often, later and later.
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
            // What was settled and is found all the same is due by a mistake, and would be for ever.
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

    protected sealed override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(RepeatAsync(LookEvery, PollAsync, stoppingToken), SweepForEverAsync(stoppingToken));

    private async Task SweepForEverAsync(CancellationToken stop)
    {
        // The first sweep soon after the start: a server may be restarted more often than once a minute.
        await Task.Delay(LookEvery, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await OnceAsync(SweepAsync, stop);
        await RepeatAsync(SweepEvery, SweepAsync, stop);
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
            LookLog.Waits(Log, GetType().Name, fault.Message);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The server is stopping.
        }
        catch (Exception fault)
        {
            LookLog.Failed(Log, GetType().Name, fault);
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

    /// <summary>One of what a look has found: what goes wrong with it keeps no other waiting.</summary>
    protected Task OneAsync(string id, Func<Task> act) =>
        OneAsync(
            id,
            async () =>
            {
                await act();
                return true;
            }
        );

    /// <summary>The same; false also when it went wrong.</summary>
    protected async Task<bool> OneAsync(string id, Func<Task<bool>> act)
    {
        try
        {
            return await act();
        }
        // A row that somebody holds is one that could not be settled: the others are.
        catch (Exception fault) when (fault is StorageBusyException or not StorageUnavailableException)
        {
            LookLog.OneFailed(Log, id, fault);
            return false;
        }
    }
}
