using Postern.Agents;
using Postern.Deliveries;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>Gives one claimed run to its agent, of any kind.</summary>
internal sealed class Handover(
    Database database,
    AgentStore agents,
    Turns turns,
    RunMachine machine,
    Outbox outbox,
    EchoAgent echo,
    EchoJobs jobs
)
{
    /// <summary>
    /// One transaction opens a turn and writes its dispatch as a delivery, or makes the run claimable. The echo agent
    /// then works here, under the lease.
    /// </summary>
    public async Task GiveAsync(Run claimed, CancellationToken stop)
    {
        if (await agents.FindAsync(claimed.Project, claimed.Agent) is not { } agent)
        {
            await EndAsync(claimed, "unknown_agent", $"The agent {claimed.Agent} is not registered.");
            return;
        }
        if (claimed.Session is null)
            await StartJobAsync(claimed, agent);
        else if (agent.Kind == Agent.Pull)
            await OfferTurnAsync(claimed);
        else if (await OpenTurnAsync(claimed, agent) is { } turn && agent.Kind == Agent.Echo)
            await echo.TakeTurnAsync(turn.Run, turn.Session, stop);
    }

    /// <summary>Ends a run that could not be given to its agent after many tries.</summary>
    public Task GiveUpAsync(Run claimed) =>
        EndAsync(
            claimed,
            "dispatch_failed",
            $"The server could not give the run to {claimed.Agent}; its log says why."
        );

    private Task<(Session Session, Run Run)?> OpenTurnAsync(Run claimed, Agent agent)
    {
        return database.WriteAsync(
            async tx =>
            {
                if (await turns.BeginAsync(tx, claimed, agent, agent.Settings.Concurrency) is not { } turn)
                    return null;
                if (agent.Kind == Agent.Http)
                    await DispatchAsync(tx, turn.Run, turn.Session.TurnInSeq);
                return ((Session, Run)?)turn;
            },
            CancellationToken.None
        );
    }

    private Task<int> OfferTurnAsync(Run claimed) =>
        database.WriteAsync(
            async tx =>
            {
                if (await turns.FindAsync(tx, claimed) is not var (_, run))
                    return 0;
                await RunDue.MakeClaimableAsync(tx, run);
                return 1;
            },
            CancellationToken.None
        );

    /// <summary>A run without a session is given to its agent directly.</summary>
    private Task<int> StartJobAsync(Run claimed, Agent agent) =>
        database.WriteAsync(
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
                        // A run that was meanwhile reported as running has its worker already.
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
                        await jobs.DoAsync(tx, run with { DueAt = null, Dispatched = true });
                        break;
                }
                return 1;
            },
            CancellationToken.None
        );

    /// <summary>
    /// The dispatch is a delivery, written together with the state that it contains. It gives up no later than the end
    /// of the run's time in the queue.
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

    private Task<int> EndAsync(Run claimed, string code, string why) =>
        database.WriteAsync(
            async tx =>
            {
                if (await HeldRun.LockAsync(tx, claimed.Project, claimed.Id) is not { } run)
                    return 0;
                return
                    await machine.EndAsync(tx, run.Project, run.Id, Phase.Failed, why, failure: new Failure(code, why))
                        is null
                    ? 0
                    : 1;
            },
            CancellationToken.None
        );
}
