using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// The only place where a run changes: every route that starts, reports on, ends or retries work uses it. A change, its
/// timeline event, its events and deliveries, and the new deadlines are written by the caller's transaction, which
/// holds the run's row (<see cref="HeldRun"/>). It does not know who reacts to a change; one table declares that
/// (<see cref="Reactions{T}"/>). Whether a change is allowed is decided before: for reports by the workflow
/// (<see cref="RunReports"/>), for everybody else by the fact that the run has not ended.
/// </summary>
internal sealed class RunMachine(WorkflowStore workflows, Reactions<RunCreated> created, Reactions<RunMoved> moved)
{
    /// <summary>Writes a new run in its workflow's first state.</summary>
    public async ValueTask<Run> CreateAsync(Tx tx, Run asked, byte[]? input, Actor by)
    {
        var workflow = await workflows.OfAsync(tx, asked);
        var run = RunDeadlines.WithDeadlines(
            asked with
            {
                Status = workflow.Initial,
                Phase = workflow.States[workflow.Initial].Phase,
                EventSeq = 1,
                CreatedAt = tx.Now,
                UpdatedAt = tx.Now,
                AttemptAt = tx.Now,
                TotalAt = tx.Now + (asked.TotalSeconds * RunDeadlines.Second),
            },
            workflow,
            tx.Now,
            entered: true
        );
        RunRow.Insert(tx, run);
        if (input is not null)
            RunData.Put(tx, run.Project, run.Id, RunData.Input, input);
        RunEvents.Insert(
            tx,
            run.Project,
            run.Id,
            new RunEvent
            {
                Seq = 1,
                Type = "created",
                At = tx.Now,
                Attempt = run.Attempt,
                By = by,
                To = run.Status,
            }
        );
        RunTally.Created(tx, run);
        await created.RaiseAsync(tx, new RunCreated(run));
        return run;
    }

    /// <summary>Makes a change, and returns the changed run.</summary>
    public async ValueTask<HeldRun> MoveAsync(Tx tx, HeldRun run, Change change)
    {
        run.EnsureHeldBy(tx);
        var workflow = await workflows.OfAsync(tx, run);
        var phase = change.Phase ?? workflow.States[change.To].Phase;
        var ends = Phase.IsTerminal(phase);
        var next = WithWaited(WithDue(WithReport(run, change, phase, tx.Now), phase, tx.Now), run);
        next = RunDeadlines.WithDeadlines(next, workflow, tx.Now, entered: next.Status != run.Status);
        await RunRow.SaveAsync(tx, next, releases: ends);
        RunEvents.Insert(
            tx,
            run.Project,
            run.Id,
            new RunEvent
            {
                Seq = next.EventSeq,
                Type = change.Type,
                At = tx.Now,
                Attempt = run.Attempt,
                By = change.By,
                From = run.Status,
                To = next.Status,
                EventId = change.EventId,
                CorrelationId = change.CorrelationId,
                OccurredAt = change.OccurredAt,
                Detail = change.Detail,
                Digest = change.Digest,
            }
        );
        RunTally.Moved(tx, run, next);
        await moved.RaiseAsync(tx, new RunMoved(run, next, change.By, change.Notice));
        return next;
    }

    /// <summary>Returns the run with the change.</summary>
    private static HeldRun WithReport(HeldRun run, Change change, string phase, long now) =>
        run with
        {
            Status = change.To,
            Phase = phase,
            EventSeq = run.EventSeq + 1,
            UpdatedAt = now,
            Marker = change.OccurredAt ?? run.Marker,
            Reason = change.Reason ?? (phase == run.Phase ? run.Reason : null),
            FailureCode = change.Failure is null ? run.FailureCode : change.Failure.Code,
            FailureMessage = change.Failure is null ? run.FailureMessage : change.Failure.Message,
            FailedStage = change.Failure is null ? run.FailedStage : change.Failure.Stage,
            ProgressMillionths = change.ProgressMillionths ?? run.ProgressMillionths,
            PausedFrom = phase == Phase.Paused ? run.PausedFrom ?? run.Status : null,
        };

    /// <summary>
    /// Returns the run with the consequences of its phase: when it is due, who holds it, what it waits for.
    /// </summary>
    private static HeldRun WithDue(HeldRun run, string phase, long now)
    {
        if (Phase.IsTerminal(phase))
            return run with
            {
                EndedAt = now,
                Approval = null,
                ApprovalUntil = null,
                DueAt = null,
                WaitsAt = null,
                ClaimAt = null,
                ClaimUntil = null,
            };
        var isHeld = run is { ClaimSeconds: > 0, ClaimAt: null } && phase is Phase.Running or Phase.Queued;
        return run with
        {
            StartedAt = run.StartedAt ?? (phase == Phase.Running ? now : null),
            EndedAt = null,
            // A worker that reports progress has the run, so it is no longer claimable.
            ClaimAt = phase == Phase.Running ? null : run.ClaimAt,
            // A worker holds only a run that it works on; nobody works on a run that waits, is paused or has ended.
            ClaimUntil = isHeld ? now + (run.ClaimSeconds * RunDeadlines.Second) : null,
        };
    }

    /// <summary>Messages that came while it was paused are due when it goes on.</summary>
    private static HeldRun WithWaited(HeldRun next, HeldRun before)
    {
        var goesOn = StandsStill(before.Phase) && !StandsStill(next.Phase) && next.EndedAt is null;
        return goesOn && before.WaitsAt is { } waited ? next with { DueAt = waited, WaitsAt = null } : next;
    }

    private static bool StandsStill(string phase) => phase is Phase.Waiting or Phase.Paused;

    /// <summary>
    /// Ends a live run from outside, whatever its workflow allows to workers. Returns null when it had ended already;
    /// then its end stays as it was. Its session goes on without it (<see cref="RunMoved"/>), unless the caller has
    /// removed the run from the session before.
    /// </summary>
    /// <param name="tx">Locks the run, its session before it.</param>
    /// <param name="project">The tenant.</param>
    /// <param name="id">The run.</param>
    /// <param name="phase">What it ends as.</param>
    /// <param name="reason">For a person; null when it simply succeeded.</param>
    /// <param name="by">Who ended it.</param>
    /// <param name="failure">What the run shows as its failure.</param>
    /// <param name="tellAgent">The agent that has it is told by a delivery.</param>
    public async ValueTask<HeldRun?> EndAsync(
        Tx tx,
        string project,
        string id,
        string phase,
        string? reason,
        Actor? by = null,
        Failure? failure = null,
        bool tellAgent = false
    )
    {
        if (await HeldRun.LockAsync(tx, project, id) is not { IsEnded: false } run)
            return null;
        // A run that waits for a person has not succeeded, whoever ends it.
        if (phase == Phase.Succeeded && run.Approval is not null)
            phase = Phase.Cancelled;
        var workflow = await workflows.OfAsync(tx, run);
        var type =
            phase == Phase.TimedOut ? "timed_out"
            : phase == Phase.Cancelled ? "cancelled"
            : "ended";
        return await MoveAsync(
            tx,
            run,
            new Change(type, by ?? Actor.Server, workflow.StateToEndIn(phase))
            {
                Phase = phase,
                Reason = reason,
                Failure = failure,
                Detail = reason is null ? null : Json(new { reason }),
                Notice =
                    !tellAgent ? null
                    : reason == SessionClosed ? "session.closed"
                    : "run." + phase,
            }
        );
    }

    public const string SessionClosed = "session closed";

    /// <summary>
    /// Makes a run wait for a person: in the workflow's state for that or, when the workflow has none, in its present
    /// state.
    /// </summary>
    public async ValueTask<HeldRun> AskAsync(Tx tx, HeldRun run, OpenQuestion question, Actor by, string detail)
    {
        var workflow = await workflows.OfAsync(tx, run);
        var asking = run with { Approval = question.Id, ApprovalUntil = question.Until };
        return await MoveAsync(
            tx,
            asking,
            new Change("approval_requested", by, workflow.IsAgent ? Phase.Waiting : run.Status)
            {
                Phase = Phase.Waiting,
                Reason = question.Title is null
                    ? "It waits for an approval."
                    : $"It waits for an approval: {question.Title}",
                Detail = detail,
            }
        );
    }

    /// <summary>The answer lets it go on, with the time that was left when it asked.</summary>
    public async ValueTask<HeldRun> AnswerAsync(Tx tx, HeldRun run, OpenQuestion question, Actor by, string detail)
    {
        var workflow = await workflows.OfAsync(tx, run);
        var stood = tx.Now - question.AskedAt;
        var answered = run with
        {
            Approval = null,
            ApprovalUntil = null,
            TotalAt = run.TotalAt + stood,
            StateUntil = run.StateUntil + stood,
        };
        return await MoveAsync(
            tx,
            answered,
            new Change("approval_decided", by, workflow.IsAgent ? Phase.Running : run.Status) { Detail = detail }
        );
    }

    /// <summary>
    /// Begins the next attempt of a run: from the best checkpoint whose artifact exists, else from the beginning.
    /// Earlier attempts can no longer report. Returns null when its workflow has checkpoints and none of them is
    /// proven.
    /// </summary>
    public async ValueTask<HeldRun?> RetryAsync(Tx tx, HeldRun run, string? profile, Actor by)
    {
        var workflow = await workflows.OfAsync(tx, run);
        var state = workflow.Initial;
        if (workflow.Checkpoints.Count > 0)
        {
            var artifacts = Artifacts.Read(await RunData.FindAsync(tx, run.Project, run.Id, RunData.Artifacts));
            if (workflow.Checkpoints.FirstOrDefault(c => artifacts.ContainsKey(c.Artifact)) is not { } checkpoint)
                return null;
            state = checkpoint.State;
        }
        await RunEvents.KeepAttemptAsync(tx, run, run.EndedAt ?? tx.Now);
        if (run.CallbackOutcome is not null)
            await RunStore.SetCallbackOutcomeAsync(tx, run.Project, run.Id, null);
        return await BeginAttemptAsync(
            tx,
            run with
            {
                Profile = profile,
                LeasesLost = 0,
            },
            workflow,
            state,
            "retried",
            by,
            profile is null ? null : Json(new { profile })
        );
    }

    /// <summary>
    /// The worker that claimed a run is lost: another attempt becomes claimable, and the lost worker is refused if it
    /// comes back. After too many losses the run fails.
    /// </summary>
    public async ValueTask<HeldRun?> LoseLeaseAsync(Tx tx, HeldRun run, long maxLost)
    {
        var workflow = await workflows.OfAsync(tx, run);
        if (run.LeasesLost + 1 >= maxLost)
            return await EndAsync(
                tx,
                run.Project,
                run.Id,
                Phase.Failed,
                $"Its workers were lost {run.LeasesLost + 1} times.",
                failure: new Failure("lease_lost", "The worker neither reported nor sent a heartbeat.")
            );
        await RunEvents.KeepAttemptAsync(
            tx,
            run with
            {
                Reason = "The worker neither reported nor sent a heartbeat.",
            },
            tx.Now
        );
        return await BeginAttemptAsync(
            tx,
            run with
            {
                LeasesLost = run.LeasesLost + 1,
            },
            workflow,
            workflow.IsAgent && run.Session is null ? workflow.Initial : run.Status,
            "lease_lost",
            Actor.Server,
            null
        );
    }

    private async ValueTask<HeldRun> BeginAttemptAsync(
        Tx tx,
        HeldRun run,
        Workflow workflow,
        string state,
        string type,
        Actor by,
        string? detail
    )
    {
        var next = RunDeadlines.WithDeadlines(
            run with
            {
                Attempt = run.Attempt + 1,
                AttemptAt = tx.Now,
                UpdatedAt = tx.Now,
                TotalAt = run.IsEnded ? tx.Now + (run.TotalSeconds * RunDeadlines.Second) : run.TotalAt,
                Status = state,
                Phase = workflow.States[state].Phase,
                EventSeq = run.EventSeq + 1,
                Marker = null,
                Reason = null,
                FailureCode = null,
                FailureMessage = null,
                FailedStage = null,
                ProgressMillionths = null,
                PausedFrom = null,
                StartedAt = null,
                EndedAt = null,
                DueAt = tx.Now,
                WaitsAt = null,
                ClaimAt = null,
                ClaimUntil = null,
                ClaimSeconds = 0,
                Dispatched = false,
                Tries = 0,
                BootMessage = run.BootMessage || run.Session is null,
            },
            workflow,
            tx.Now,
            entered: true
        );
        await RunRow.SaveAsync(tx, next, releases: true);
        RunEvents.Insert(
            tx,
            run.Project,
            run.Id,
            new RunEvent
            {
                Seq = next.EventSeq,
                Type = type,
                At = tx.Now,
                Attempt = next.Attempt,
                By = by,
                From = run.Status,
                To = next.Status,
                Detail = detail,
            }
        );
        await moved.RaiseAsync(tx, new RunMoved(run, next, by, Notice: null));
        return next;
    }

    private static string Json<T>(T value) => JsonSerializer.Serialize(value, Wire.Json);
}
