using System.Security.Cryptography;
using System.Text;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// The actions of an operator on a run: start, cancel, pause, resume, retry. Each runs with the run's row held, and
/// returns the changed run or why not. A repeat of a finished action returns the run.
/// </summary>
internal sealed class RunActions(RunMachine machine, WorkflowStore workflows, RunReports reports)
{
    /// <summary>The state in which a worker would report; the workflow allows it or not.</summary>
    public ValueTask<ReportOutcome> ReportAsync(Tx tx, string project, string id, Report report) =>
        reports.TakeAsync(tx, project, id, report);

    public async ValueTask<Checked<Run>> StartAsync(Tx tx, HeldRun run, Actor by)
    {
        if (run.IsEnded)
            return Ended(run);
        if (run.Dispatched || run.DueAt is not null || run.WaitsAt is not null || run.ClaimAt is not null)
            return run;
        var started = run with { DueAt = tx.Now, EventSeq = run.EventSeq + 1, UpdatedAt = tx.Now };
        await RunRow.SaveAsync(tx, started, releases: true);
        RunEvents.Insert(
            tx,
            run.Project,
            run.Id,
            new RunEvent
            {
                Seq = started.EventSeq,
                Type = "start",
                At = tx.Now,
                Attempt = run.Attempt,
                By = by,
                From = run.Status,
                To = run.Status,
            }
        );
        return started;
    }

    public async ValueTask<Checked<Run>> CancelAsync(Tx tx, HeldRun run, string? reason, Actor by)
    {
        if (run.IsEnded)
            return run.Phase == Phase.Cancelled ? run : Ended(run);
        var why = reason ?? "The run was cancelled.";
        return await machine.EndAsync(tx, run.Project, run.Id, Phase.Cancelled, why, by, tellAgent: true) is { } ended
            ? ended
            : Ended(run);
    }

    public async ValueTask<Checked<Run>> PauseAsync(Tx tx, HeldRun run, Actor by)
    {
        if (run.IsEnded)
            return Ended(run);
        if (run.Phase == Phase.Paused)
            return run;
        if (run.Approval is not null)
            return new Refusal(
                409,
                "The run waits for an approval: nothing is under way that could be paused.",
                "awaiting_approval"
            );
        if ((await workflows.OfAsync(tx, run)).ExitInto(run.Status, Phase.Paused) is not { } to)
            return new Refusal(409, $"A run cannot be paused in {run.Status}.", "not_pausable");
        var paused = await machine.MoveAsync(tx, run, new Change("paused", by, to) { Notice = "run.paused" });
        // A turn's clock stands still with its run; the run's total time goes on.
        if (run.Session is not null)
            await Turns.ExtendTurnAsync(tx, run, paused.TotalAt);
        return paused;
    }

    public async ValueTask<Checked<Run>> ResumeAsync(Tx tx, HeldRun run, Actor by)
    {
        if (run.IsEnded)
            return Ended(run);
        if (run.Phase != Phase.Paused)
            return run.Phase == Phase.Running
                ? run
                : new Refusal(409, $"The run is not paused: it is in {run.Status}.", "not_paused");
        var workflow = await workflows.OfAsync(tx, run);
        var to =
            run.PausedFrom is { } from && workflow.MayFollow(run.Status, from)
                ? from
                : workflow.ExitInto(run.Status, Phase.Running);
        if (to is null)
            return new Refusal(409, $"Its workflow has no way on from {run.Status}.", "not_resumable");
        var resumed = await machine.MoveAsync(tx, run, new Change("resumed", by, to) { Notice = "run.resumed" });
        if (run.Session is not null)
            await Turns.ExtendTurnAsync(tx, run, null);
        return resumed;
    }

    /// <summary>Begins the next attempt. One clientRequestId gives one attempt, however often it is sent.</summary>
    public async ValueTask<Checked<Run>> RetryAsync(
        Tx tx,
        HeldRun run,
        string clientRequestId,
        string? profile,
        Actor by
    )
    {
        var name = $"retry {run.Id} {clientRequestId}";
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes(profile ?? "\0"));
        if (await RunRequests.FindAsync(tx, run.Project, name) is { } known)
            return known.Digest.AsSpan().SequenceEqual(digest)
                ? run
                : new Refusal(
                    409,
                    "The clientRequestId was used for a retry with another profile.",
                    "client_request_reused"
                );
        if (run.Phase is not (Phase.Failed or Phase.TimedOut))
            return new Refusal(
                409,
                $"Only a run that failed or timed out is retried; this one is in {run.Status}.",
                "not_retryable"
            );
        if (run.Session is not null)
            return new Refusal(
                409,
                "A session goes on with its next message, which gets a run of its own.",
                "session_run"
            );
        if (await machine.RetryAsync(tx, run, profile, by) is not { } next)
            return new Refusal(
                409,
                "None of its workflow's checkpoints is proven by an artifact: start a new run.",
                "no_checkpoint"
            );
        await RunRequests.InsertAsync(tx, run.Project, name, run.Id, digest);
        return next;
    }

    private static Refusal Ended(Run run) =>
        new(409, $"The run has ended as {run.Status}.", "run_ended") { Extra = [("runStatus", run.Status)] };
}
