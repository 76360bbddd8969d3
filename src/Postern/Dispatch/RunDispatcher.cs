using System.Collections.Concurrent;
using Postern.Deliveries;
using Postern.Runs;
using Postern.Sessions;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// Gives due runs to their agents. It claims them in batches under a lease with a fencing number, on any number of
/// nodes. The run of a dead node is claimed again after its lease. It wakes at a commit that made a run due, and by
/// itself every second. When the server stops it claims nothing more; what is under way may finish within the remaining
/// time, and the rest is released.
/// </summary>
internal sealed class RunDispatcher(
    Database database,
    RunStore runs,
    Handover handover,
    PosternOptions options,
    ServerLife life,
    ILogger<RunDispatcher> log
) : SignalledPollingLoop(database, Topics.Runs, life.Clock, log)
{
    /// <summary>How long the runs of a dead node wait. Longer work renews the lease.</summary>
    internal static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan WakeEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan GivesBackWithin = TimeSpan.FromSeconds(2);

    private const int MaxFailures = 5;

    /// <summary>How many runs with failures are remembered. Beyond it all are forgotten, and counted again.</summary>
    private const int MaxRemembered = 10_000;
    private readonly ConcurrentDictionary<string, int> _failures = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _slots = new(options.Runs.DispatchConcurrency);
    private readonly TimeProvider _clock = life.Clock;
    private readonly PlaceFinder _places = new(database);
    private readonly CancellationTokenSource _cut = new();
    private bool _recovered = !database.IsEmbedded;
    private long _woke;

    protected override async Task<bool> PollAsync(CancellationToken stop)
    {
        if (life.Stopping.IsCancellationRequested)
            return false;
        if (!_recovered)
            await runs.ReleaseAllAsync();
        _recovered = true;
        if (_woke == 0 || _clock.GetElapsedTime(_woke) > WakeEvery)
        {
            _woke = _clock.GetTimestamp();
            await _places.PollAsync();
        }
        var claimed = _slots.CurrentCount == 0 ? [] : await runs.ClaimDueAsync(_slots.CurrentCount, Lease);
        foreach (var run in claimed)
        {
            await _slots.WaitAsync(stop);
            _ = WorkAsync(run);
        }
        return claimed.Count > 0;
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        while (IsWorking && !cancellationToken.IsCancellationRequested)
            await Due.WaitAsync(PollInterval, _clock, CancellationToken.None);
        await _cut.CancelAsync();
        for (var began = _clock.GetTimestamp(); IsWorking && _clock.GetElapsedTime(began) < GivesBackWithin; )
            await Due.WaitAsync(PollInterval, _clock, CancellationToken.None);
    }

    private bool IsWorking => _slots.CurrentCount < options.Runs.DispatchConcurrency;

    private async Task WorkAsync(Run run)
    {
        try
        {
            await handover.GiveAsync(run, _cut.Token);
            _failures.TryRemove(run.Id, out _);
        }
        catch (OperationCanceledException) when (_cut.IsCancellationRequested)
        {
            await GiveBackAsync(run);
        }
        catch (Exception fault)
        {
            RunLog.TurnFailed(Log, run.Id, fault);
            await CountFailureAsync(run, fault);
        }
        finally
        {
            _slots.Release();
            Due.Set();
        }
    }

    /// <summary>The time to stop is over: another node may take the run at once.</summary>
    private async Task GiveBackAsync(Run run)
    {
        try
        {
            await runs.ReleaseAsync(run);
        }
        catch (Exception fault)
        {
            // Its lease runs out.
            PollLog.Waits(Log, GetType().Name, fault.Message);
        }
    }

    /// <summary>
    /// Ends a run with the reason when it could not be given to its agent many times, instead of trying until its
    /// deadline. An unreachable database is not counted.
    /// </summary>
    private async Task CountFailureAsync(Run run, Exception fault)
    {
        if (fault is StorageUnavailableException)
            return;
        if (_failures.Count >= MaxRemembered)
            _failures.Clear();
        if (_failures.AddOrUpdate(run.Id, 1, (_, before) => before + 1) < MaxFailures)
            return;
        _failures.TryRemove(run.Id, out _);
        try
        {
            await handover.GiveUpAsync(run);
        }
        catch (Exception again)
        {
            // It is counted again.
            PollLog.OneFailed(Log, run.Id, again);
        }
    }

    public override void Dispose()
    {
        _slots.Dispose();
        _cut.Dispose();
        base.Dispose();
    }
}
