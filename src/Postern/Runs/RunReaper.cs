using Postern.Agents;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// Ends runs whose time is over, and makes runs of lost workers claimable again, each within about a second. It finds
/// runs by an index and decides again under the run's lock, so any number of nodes may run it and only one acts. It
/// also removes ended runs after their retention.
/// </summary>
internal sealed class RunReaper(
    Database database,
    RunStore runs,
    RunMachine machine,
    PosternOptions options,
    TimeProvider clock,
    ILogger<RunReaper> log
) : PollingLoop(clock, log)
{
    /// <summary>
    /// How often a run's worker may be lost before the run fails, unless <c>retry.maxTries</c> of its agent says
    /// otherwise.
    /// </summary>
    private const long MaxLost = 5;

    protected override async Task PollAsync(CancellationToken stop)
    {
        var (pastDeadline, lost) = await runs.HasOverdueAsync();
        if (pastDeadline)
            await AllAsync(runs.PastDeadlineAsync, run => run.Id, run => SettleAsync(run, EndLateAsync), stop);
        if (lost)
            await AllAsync(runs.LostByWorkersAsync, run => run.Id, run => SettleAsync(run, EndLostLeaseAsync), stop);
    }

    /// <summary>Returns false when there was nothing left to do.</summary>
    private async Task<bool> SettleAsync(Run found, Func<Tx, HeldRun, ValueTask<HeldRun?>> act)
    {
        Run? ended = await database.WriteAsync(async tx =>
            await HeldRun.LockAsync(tx, found.Project, found.Id) is { IsEnded: false } run ? await act(tx, run) : null
        );
        if (ended is { IsEnded: true })
            RunLog.RunEnded(Log, ended.Id, ended.Phase, ended.Reason ?? "");
        return ended is not null;
    }

    private async ValueTask<HeldRun?> EndLateAsync(Tx tx, HeldRun run)
    {
        // The question has its own deadline, which ApprovalExpirer enforces.
        if (run.DeadlineAt > tx.Now || run.Approval is not null)
            return null;
        var why = run switch
        {
            _ when run.TotalAt <= tx.Now => "The run outlived its time.",
            { Phase: Phase.Queued, StartedAt: null, Dispatched: false } or { ClaimAt: not null } =>
                "No agent took the run on in time.",
            _ when run.StateUntil <= tx.Now && run.Phase != Phase.Queued =>
                $"The run stayed in {run.Status} for longer than its workflow allows.",
            { Phase: Phase.Queued } => "The agent did not begin in time.",
            _ => "The worker neither reported nor sent a heartbeat in time.",
        };
        return await machine.EndAsync(
            tx,
            run.Project,
            run.Id,
            Phase.TimedOut,
            why,
            failure: new Failure("timed_out", why),
            tellAgent: true
        );
    }

    private async ValueTask<HeldRun?> EndLostLeaseAsync(Tx tx, HeldRun run)
    {
        if (run.ClaimUntil is not { } until || until > tx.Now)
            return null;
        var most = (await AgentStore.FindAsync(tx, run.Project, run.Agent))?.Settings.MaxTries ?? MaxLost;
        return await machine.LoseLeaseAsync(tx, run, most);
    }

    protected override async Task SweepAsync(CancellationToken stop)
    {
        if (options.Retention.RunDays == 0)
            return;
        var before = database.Now - (options.Retention.RunDays * 86_400_000_000L);
        await AllAsync(limit => runs.EndedBeforeAsync(before, limit), run => run.Id, DeleteAsync, stop);
    }

    private Task<bool> DeleteAsync(Run run) =>
        database.WriteAsync(async tx =>
        {
            await runs.DeleteAsync(tx, run.Project, run.Id);
            return true;
        });
}
