using Postern.Access;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// Gives a run to an agent that is called. A 2xx accepts it, and may finish it at once. A refusal, or the end of the
/// run's time in the queue, fails the run with the agent's answer, in the transaction that records it. So no run stays
/// in progress because a key was wrong.
/// </summary>
internal sealed class AgentDispatch(
    AgentStore agents,
    RunStore runs,
    SessionStore sessions,
    DispatchBody body,
    MasterKey master,
    DispatchOutcome outcome,
    Database database
) : DeliveryPurpose
{
    public const string PurposeName = Delivery.Dispatch;

    public override string Name => PurposeName;

    /// <summary>The attempt and the turn of a dispatch.</summary>
    public static string DetailOf(Run run, long turn) => $"{run.Attempt} {turn}";

    public override async ValueTask<(PreparedDelivery? Request, string? Why)> PrepareAsync(Delivery delivery)
    {
        var run = await runs.FindAsync(delivery.Project, delivery.Subject);
        if (run is null || run.IsEnded || run.Attempt != DeliveryTrace.AttemptOf(delivery))
            return (null, "The run is no longer waiting for it.");
        if (
            run.Session is not null
            && await sessions.FindAsync(run.Project, run.Session) is var session
            && (
                session?.CurrentRun != run.Id
                || session.TurnInSeq != DispatchOutcome.TurnOf(delivery)
                || !session.TurnIsOpen
            )
        )
            return (null, "Its turn is over.");
        if (
            await agents.FindAsync(run.Project, run.Agent)
            is not { Kind: Agent.Http, Url: { } url, SealedSecret: { } sealedSecret } agent
        )
            return (null, $"The agent {run.Agent} is no longer one that is called.");
        var secret = master.Unprotect(sealedSecret, Agent.SealPurpose(run.Project, run.Agent));
        var (data, now) = (await body.MakeAsync(run), database.Now);
        return (
            new PreparedDelivery(
                url,
                [secret],
                Outbox.Body(delivery.Type, now, data.Write),
                MaxTries: agent.Settings.MaxTries,
                MaxAnswer: AgentAnswer.MaxBytes,
                Copy: Outbox.Body(delivery.Type, now, data.WriteCopy)
            ),
            null
        );
    }

    public override async ValueTask LockAsync(Tx tx, Delivery delivery) =>
        await HeldRun.LockAsync(tx, delivery.Project, delivery.Subject);

    public override ValueTask AttemptedAsync(Tx tx, Delivery delivery, Attempt attempt) =>
        DeliveryTrace.AddAsync(tx, delivery, "dispatch", accepted: false, attempt.Explanation);

    public override async ValueTask EndedAsync(Tx tx, Delivery delivery, Attempt? attempt, string? reason)
    {
        await DeliveryTrace.AddAsync(tx, delivery, "dispatch", reason is null, reason);
        if (
            await HeldRun.LockAsync(tx, delivery.Project, delivery.Subject) is not { IsEnded: false } run
            || run.Attempt != DeliveryTrace.AttemptOf(delivery)
        )
            return;
        if (reason is null)
            await outcome.TakenAsync(tx, run, delivery, attempt!.Answer);
        else
            await outcome.RefusedAsync(tx, run, delivery, attempt is null ? reason : "the agent " + reason, reason);
    }

    public override async ValueTask<string?> WhyNotAgainAsync(Tx tx, Delivery delivery) =>
        await RunStore.FindAsync(tx, delivery.Project, delivery.Subject) is { IsEnded: false } run
        && run.Attempt == DeliveryTrace.AttemptOf(delivery)
            ? null
            : "Its run has ended or gone on: retry the run itself.";
}
