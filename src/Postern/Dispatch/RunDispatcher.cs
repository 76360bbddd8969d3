using Postern.Agents;
using Postern.Deliveries;
using Postern.Runs;
using Postern.Sessions;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// Gives due runs to their agents. It claims them in batches under a lease with a fencing number, on any number of
/// nodes; a run whose node died is claimed again when its lease has run out. It wakes at a commit that made a run due,
/// and looks by itself every second. When the server stops it claims nothing more, what is under way finishes within
/// the time there is, and what does not is given back.
/// </summary>
internal sealed class RunDispatcher(
    Database database,
    RunStore runs,
    AgentStore agents,
    Turns turns,
    RunMachine machine,
    RunReports reports,
    Outbox outbox,
    EchoAgent echo,
    PosternOptions options,
    IHostApplicationLifetime host,
    TimeProvider clock,
    ILogger<RunDispatcher> log
) : SignalledPollingLoop(database, Topics.Runs, clock, log)
{
    /// <summary>How long a node that died keeps others waiting. What takes longer renews it.</summary>
    internal static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan WakeEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan GivesBackWithin = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _slots = new(options.Runs.DispatchConcurrency);
    private readonly TimeProvider _clock = clock;
    private readonly PlaceFinder _places = new(database);
    private readonly CancellationTokenSource _cut = new();
    private bool _recovered = !database.IsEmbedded;
    private long _woke;

    protected override async Task<bool> PollAsync(CancellationToken stop)
    {
        if (host.ApplicationStopping.IsCancellationRequested)
            return false;
        if (!_recovered)
            await runs.ReleaseAllAsync();
        _recovered = true;
        if (_woke == 0 || _clock.GetElapsedTime(_woke) > WakeEvery)
        {
            _woke = _clock.GetTimestamp();
            await _places.LookAsync();
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
            await Due.WaitAsync(LookEvery, _clock, CancellationToken.None);
        await _cut.CancelAsync();
        for (var began = _clock.GetTimestamp(); IsWorking && _clock.GetElapsedTime(began) < GivesBackWithin; )
            await Due.WaitAsync(LookEvery, _clock, CancellationToken.None);
    }

    private bool IsWorking => _slots.CurrentCount < options.Runs.DispatchConcurrency;

    private async Task WorkAsync(Run run)
    {
        try
        {
            await HandOverAsync(run, _cut.Token);
        }
        catch (OperationCanceledException) when (_cut.IsCancellationRequested)
        {
            await GiveBackAsync(run);
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            RunLog.TurnFailed(Log, run.Id, fault);
        }
        finally
        {
            _slots.Release();
            Due.Set();
        }
    }

    /// <summary>The server's time to stop is over: another node takes the run up at once.</summary>
    private async Task GiveBackAsync(Run run)
    {
        try
        {
            await runs.ReleaseAsync(run);
        }
        catch (StorageUnavailableException fault)
        {
            // Its lease runs out.
            LookLog.Waits(Log, GetType().Name, fault.Message);
        }
    }

    /// <summary>
    /// What is due is settled in one transaction: a turn is opened, and its dispatch written as a delivery; or it is
    /// offered to those who claim. The echo agent then works here, under the lease.
    /// </summary>
    private async Task HandOverAsync(Run claimed, CancellationToken stop)
    {
        if (await agents.FindAsync(claimed.Project, claimed.Agent) is not { } agent)
        {
            await EndAsync(claimed, $"The agent {claimed.Agent} is not registered.");
            return;
        }
        if (claimed.Session is null)
            await StartJobAsync(claimed, agent);
        else if (agent.Kind == Agent.Pull)
            await OfferTurnAsync(claimed);
        else if (await OpenTurnAsync(claimed, agent) is { } turn && agent.Kind == Agent.Echo)
            await echo.TakeTurnAsync(turn.Run, turn.Session, stop);
    }

    private Task<(Session Session, Run Run)?> OpenTurnAsync(Run claimed, Agent agent)
    {
        var turnTime = TimeSpan.FromSeconds(agent.Settings.TurnSeconds ?? options.Runs.TurnSeconds);
        return Database.WriteAsync(
            async tx =>
            {
                if (await turns.BeginAsync(tx, claimed, turnTime, agent.Settings.Concurrency) is not { } turn)
                    return null;
                if (agent.Kind == Agent.Http)
                    await DispatchAsync(tx, turn.Run, turn.Session.TurnInSeq);
                return ((Session, Run)?)turn;
            },
            CancellationToken.None
        );
    }

    private Task<int> OfferTurnAsync(Run claimed) =>
        Database.WriteAsync(
            async tx =>
            {
                if (await turns.FindAsync(tx, claimed) is not var (_, run))
                    return 0;
                await RunDue.MakeClaimableAsync(tx, run);
                return 1;
            },
            CancellationToken.None
        );

    /// <summary>A run without a session: given to its agent as it is.</summary>
    private Task<int> StartJobAsync(Run claimed, Agent agent) =>
        Database.WriteAsync(
            async tx =>
            {
                if (
                    await HeldRun.LockAsync(tx, claimed.Project, claimed.Id) is not { IsEnded: false } run
                    || run.LeaseNo != claimed.LeaseNo
                )
                    return 0;
                if (
                    agent.Settings.Concurrency is { } most
                    && !await AgentPlaces.HasRoomAsync(tx, run.Project, run.Agent, most)
                )
                    return await AgentPlaces.WaitAsync(tx, run);
                switch (agent.Kind)
                {
                    case Agent.Pull:
                        // One that somebody reported as running meanwhile has its worker.
                        if (run.StartedAt is null)
                            await RunDue.MakeClaimableAsync(tx, run);
                        else
                            await RunDue.HandedOverAsync(tx, run);
                        break;
                    case Agent.Http:
                        await DispatchAsync(tx, run, -1);
                        break;
                    default:
                        await RunDue.HandedOverAsync(tx, run);
                        await EchoAsync(tx, run with { DueAt = null, Dispatched = true });
                        break;
                }
                return 1;
            },
            CancellationToken.None
        );

    /// <summary>
    /// The echo agent's work on a run without a session: its input is its output. It knows the built-in workflow alone.
    /// </summary>
    private async ValueTask EchoAsync(Tx tx, HeldRun run)
    {
        if (run.WorkflowVersion != 0)
            return;
        var by = new Actor("agent", run.Agent);
        var running =
            run.Phase == Phase.Queued
                ? await machine.MoveAsync(tx, run, new Change("taken_on", by, Phase.Running))
                : run;
        var input = await RunData.FindAsync(tx, run.Project, run.Id, RunData.Input);
        await reports.TakeAsync(
            tx,
            run.Project,
            run.Id,
            new Report(Phase.Succeeded, by, running.Attempt)
            {
                Output = input?.Length <= RunReports.MaxOutput ? input : null,
            }
        );
    }

    /// <summary>
    /// The dispatch is a delivery, written with the state that it tells of; no later than the run's time in the queue
    /// does it give up.
    /// </summary>
    private async ValueTask DispatchAsync(Tx tx, Run run, long turn)
    {
        if (await RunDue.HandedOverAsync(tx, run) == 0)
            return;
        await outbox.EnqueueAsync(
            tx,
            new NewDelivery(
                run.Project,
                AgentDispatch.PurposeName,
                Agent.EndpointKey(run.Agent),
                run.Id,
                "run.dispatched",
                null,
                tx.Now + (run.QueuedSeconds * 1_000_000),
                AgentDispatch.DetailOf(run, turn)
            )
        );
    }

    private Task<int> EndAsync(Run claimed, string why) =>
        Database.WriteAsync(
            async tx =>
            {
                if (await HeldRun.LockAsync(tx, claimed.Project, claimed.Id) is not { } run)
                    return 0;
                return
                    await machine.EndAsync(
                        tx,
                        run.Project,
                        run.Id,
                        Phase.Failed,
                        why,
                        failure: new Failure("unknown_agent", why)
                    )
                        is null
                    ? 0
                    : 1;
            },
            CancellationToken.None
        );

    public override void Dispose()
    {
        _slots.Dispose();
        _cut.Dispose();
        base.Dispose();
    }
}
