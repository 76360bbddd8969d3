using Postern.Access;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// Giving a run to an agent that is called. A 2xx takes it on, and may finish it at once; a refusal, or the end of the
/// run's time in the queue, fails the run with what the agent answered, in the transaction that records it: nothing
/// stays in progress because a key was wrong.
/// </summary>
internal sealed class AgentDispatch(
    AgentStore agents,
    RunStore runs,
    SessionStore sessions,
    DispatchBody body,
    MasterKey master,
    RunMachine machine,
    RunReports reports,
    Conversation conversation,
    Database database
) : DeliveryPurpose
{
    public const string PurposeName = "dispatch";

    public override string Name => PurposeName;

    /// <summary>Which attempt, and which turn, a dispatch is of.</summary>
    public static string DetailOf(Run run, long turn) => $"{run.Attempt} {turn}";

    public override async ValueTask<(PreparedDelivery? Request, string? Why)> PrepareAsync(Delivery delivery)
    {
        var run = await runs.FindAsync(delivery.Project, delivery.Subject);
        if (run is null || run.IsEnded || run.Attempt != DeliveryTrace.AttemptOf(delivery))
            return (null, "The run is no longer waiting for it.");
        if (
            run.Session is not null
            && await sessions.FindAsync(run.Project, run.Session) is var session
            && (session?.CurrentRun != run.Id || session.TurnInSeq != TurnOf(delivery) || !session.TurnIsOpen)
        )
            return (null, "Its turn is over.");
        if (
            await agents.FindAsync(run.Project, run.Agent)
            is not { Kind: Agent.Http, Url: { } url, SealedSecret: { } sealedSecret } agent
        )
            return (null, $"The agent {run.Agent} is no longer one that is called.");
        var secret = master.Unprotect(sealedSecret, Agent.SealPurpose(run.Project, run.Agent));
        return (
            new PreparedDelivery(
                url,
                [secret],
                Outbox.Body("run.dispatched", database.Now, await body.MakeAsync(run)),
                MaxTries: agent.Settings.MaxTries,
                MaxAnswer: AgentAnswer.MaxBytes
            ),
            null
        );
    }

    public override async ValueTask LockAsync(Tx tx, Delivery delivery) =>
        await HeldRun.LockAsync(tx, delivery.Project, delivery.Subject);

    public override ValueTask AttemptedAsync(Tx tx, Delivery delivery, Attempt attempt) =>
        DeliveryTrace.AddAsync(tx, delivery, "dispatch", accepted: false, attempt.Words);

    public override async ValueTask EndedAsync(Tx tx, Delivery delivery, Attempt? attempt, string? reason)
    {
        await DeliveryTrace.AddAsync(tx, delivery, "dispatch", reason is null, reason);
        if (
            await HeldRun.LockAsync(tx, delivery.Project, delivery.Subject) is not { IsEnded: false } run
            || run.Attempt != DeliveryTrace.AttemptOf(delivery)
        )
            return;
        if (reason is null)
            await TakenAsync(tx, run, delivery, attempt!.Answer);
        else if (run.Session is null || await IsItsTurnAsync(tx, run, delivery))
            await machine.EndAsync(
                tx,
                run.Project,
                run.Id,
                Phase.Failed,
                $"The run could not be handed to its agent: {(attempt is null ? reason : "the agent " + reason)}",
                failure: new Failure("dispatch_failed", reason)
            );
    }

    public override async ValueTask<string?> WhyNotAgainAsync(Tx tx, Delivery delivery) =>
        await RunStore.FindAsync(tx, delivery.Project, delivery.Subject) is { IsEnded: false } run
        && run.Attempt == DeliveryTrace.AttemptOf(delivery)
            ? null
            : "Its run has ended or gone on: retry the run itself.";

    private async ValueTask TakenAsync(Tx tx, HeldRun run, Delivery delivery, SendAnswer? answer)
    {
        var by = new Actor("agent", run.Agent);
        // The answer may come after the agent's own reports: what they have done stands.
        if (run.Workflow == Workflow.Agent.Name && run.Phase == Phase.Queued)
            run = await machine.MoveAsync(tx, run, new Change("taken_on", by, Phase.Running));
        var (finished, problem) = AgentAnswer.Read(answer);
        if (problem is not null)
            await FailAsync(tx, run, delivery, problem, by);
        if (finished is null)
            return;
        if (run.Approval is not null && finished.Status != Phase.Failed)
        {
            await RunReports.KeepRefusalAsync(
                tx,
                run,
                new Report(finished.Status, by, run.Attempt),
                new ReportOutcome.Illegal(run.Status, finished.Status, [], Terminal: false, Asked: true)
            );
            return;
        }
        if (run.Session is null)
        {
            var report = new Report(finished.Status, by, run.Attempt)
            {
                Output = finished.Output,
                Failure = finished.Failure,
            };
            if (await reports.TakeAsync(tx, run.Project, run.Id, report) is ReportOutcome.Invalid invalid)
                await FailAsync(tx, run, delivery, $"its {invalid.Field} {invalid.Problem}", by);
            return;
        }
        if (!await IsItsTurnAsync(tx, run, delivery))
            return;
        switch (finished.Status)
        {
            case Phase.Succeeded:
                await conversation.AnswerTurnAsync(tx, run, TurnOf(delivery), finished.Text);
                break;
            case Phase.Failed:
                await machine.EndAsync(
                    tx,
                    run.Project,
                    run.Id,
                    Phase.Failed,
                    finished.Failure.Message,
                    by,
                    finished.Failure
                );
                break;
            case Phase.Cancelled:
                await machine.EndAsync(
                    tx,
                    run.Project,
                    run.Id,
                    Phase.Cancelled,
                    finished.Text ?? "The agent cancelled its run.",
                    by
                );
                break;
            case Phase.Running when finished.Output is null:
                break;
            default:
                await FailAsync(tx, run, delivery, "its status must be succeeded, failed, cancelled or running", by);
                break;
        }
    }

    /// <summary>An answer that is none ends the run at once: nothing else will.</summary>
    private async ValueTask FailAsync(Tx tx, Run run, Delivery delivery, string problem, Actor by)
    {
        if (run.Session is not null && !await IsItsTurnAsync(tx, run, delivery))
            return;
        var failure = new Failure(
            "answer_not_understood",
            $"The agent's answer to its dispatch was not understood: {problem}."
        );
        await machine.EndAsync(tx, run.Project, run.Id, Phase.Failed, failure.Message, by, failure);
    }

    private static async ValueTask<bool> IsItsTurnAsync(Tx tx, Run run, Delivery delivery) =>
        await SessionStore.LockAsync(tx, run.Project, run.Session!) is { TurnIsOpen: true } session
        && session.CurrentRun == run.Id
        && session.TurnInSeq == TurnOf(delivery);

    private static long TurnOf(Delivery delivery) =>
        long.TryParse(delivery.Detail?.Split(' ')[^1], out var turn) ? turn : -1;
}
