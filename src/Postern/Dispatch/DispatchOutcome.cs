using Postern.Deliveries;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// The consequences of a dispatch for its run, in the transaction that records it: the run is accepted, finished by the
/// answer, or failed with the agent's answer.
/// </summary>
internal sealed class DispatchOutcome(RunMachine machine, RunReports reports, Conversation conversation)
{
    /// <summary>The run could not be handed over: it fails, unless its turn is over already.</summary>
    /// <param name="tx">Holds the run.</param>
    /// <param name="run">Live, and at the dispatch's attempt.</param>
    /// <param name="delivery">The dispatch.</param>
    /// <param name="why">For a person.</param>
    /// <param name="reason">What the failure says.</param>
    public async ValueTask RefusedAsync(Tx tx, HeldRun run, Delivery delivery, string why, string reason)
    {
        if (run.Session is not null && !await IsItsTurnAsync(tx, run, delivery))
            return;
        await machine.EndAsync(
            tx,
            run.Project,
            run.Id,
            Phase.Failed,
            $"The run could not be handed to its agent: {why}",
            failure: new Failure("dispatch_failed", reason)
        );
    }

    /// <summary>The agent has accepted the run; its answer may finish it at once.</summary>
    public async ValueTask TakenAsync(Tx tx, HeldRun run, Delivery delivery, SendAnswer? answer)
    {
        var by = new Actor("agent", run.Agent);
        // The answer may be recorded after the agent's own reports; their effects stay.
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
        if (await IsItsTurnAsync(tx, run, delivery))
            await FinishTurnAsync(tx, run, delivery, finished, by);
    }

    private async ValueTask FinishTurnAsync(Tx tx, HeldRun run, Delivery delivery, AgentAnswer finished, Actor by)
    {
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

    /// <summary>An invalid answer ends the run at once, because nothing else will.</summary>
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

    /// <summary>The number of the dispatch's turn; -1 for a run without a session.</summary>
    public static long TurnOf(Delivery delivery) =>
        long.TryParse(delivery.Detail?.Split(' ')[^1], out var turn) ? turn : -1;
}
