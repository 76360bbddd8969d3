using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// Takes reports from every route, in one order of checks: the run, what depends on its workflow, repeats, the attempt,
/// the order of instants, the state machine. Then it applies the report. All of it is one transaction that holds the
/// run's row: simultaneous reports are judged one after another, and a fault at any step leaves nothing. A refused
/// report is stored in the timeline.
/// </summary>
internal sealed class RunReports(WorkflowStore workflows, RunMachine machine)
{
    public const int MaxOutput = 256 * 1024;

    public async ValueTask<ReportOutcome> TakeAsync(Tx tx, string project, string id, Report report)
    {
        var held = HeldRun.LockAhead(tx, project, id);
        var earlier = report.EventId is { } eventId ? RunEvents.FindAcceptedAhead(tx, project, id, eventId) : null;
        if (await held is not { } run)
            return new ReportOutcome.NoSuchRun();
        var workflow = await workflows.OfAsync(tx, run);
        var judged = await JudgeAsync(run, workflow, report, earlier);
        // The report of a quick worker may come before its answer to the dispatch is recorded. A worker that reports
        // has accepted the run.
        if (
            judged is ReportOutcome.Illegal
            && report.OfItsWorker
            && run is { Phase: Phase.Queued, Dispatched: true, WorkflowVersion: 0 }
            && workflow.MayFollow(Phase.Running, report.Status)
        )
        {
            run = await machine.MoveAsync(tx, run, new Change("taken_on", report.By, Phase.Running));
            judged = null;
        }
        if (judged is { } refused)
        {
            if (refused is not ReportOutcome.Replayed)
                await KeepRefusalAsync(tx, run, report, refused);
            return refused;
        }
        var artifacts = report.Artifacts is { } updates
            ? Artifacts.Merge(workflow, await RunData.FindAsync(tx, project, id, RunData.Artifacts), updates)
            : new ArtifactUpdate(null, [], []);
        if (artifacts is null)
        {
            var tooLarge = new ReportOutcome.Invalid(
                "artifact_updates",
                $"would make the run's artifacts larger than {Artifacts.MaxBytes} bytes"
            );
            await KeepRefusalAsync(tx, run, report, tooLarge);
            return tooLarge;
        }
        return new ReportOutcome.Applied(await ApplyAsync(tx, run, workflow, report, artifacts));
    }

    /// <summary>Returns why a report is not applied, or null when it must be applied.</summary>
    private static async ValueTask<ReportOutcome?> JudgeAsync(
        Run run,
        Workflow workflow,
        Report report,
        Ahead<byte[]?>? earlier
    )
    {
        if (WhyInvalid(workflow, report) is { } invalid)
            return invalid;
        if (earlier is not null && Repeat(run, report, await earlier) is { } repeat)
            return repeat;
        if (report.Attempt is { } attempt && attempt != run.Attempt)
            return new ReportOutcome.Stale(run.Attempt, attempt);
        if (report.OccurredAt is { } at && run.Marker is { } marker && at <= marker)
            return new ReportOutcome.OutOfOrder(marker, run.Status, report.Status);
        if (run.IsEnded)
            return new ReportOutcome.Illegal(run.Status, report.Status, [], Terminal: true);
        return JudgeMove(run, workflow, report.Status);
    }

    /// <summary>Returns what a workflow cannot accept of a report, whatever the run's state, or null.</summary>
    private static ReportOutcome.Invalid? WhyInvalid(Workflow workflow, Report report)
    {
        if (!workflow.States.TryGetValue(report.Status, out var state))
            return new ReportOutcome.Invalid(
                "status",
                $"must be a state of the workflow {workflow.Name}: "
                    + $"{string.Join(", ", workflow.States.Keys.Order(StringComparer.Ordinal))}"
            );
        return state.Phase == Phase.Failed && report.Failure is null
            ? new ReportOutcome.Invalid("failure_code", $"is required with the status {report.Status}")
            : null;
    }

    /// <summary>Returns the outcome of an earlier report with the same id, or null when there is none.</summary>
    private static ReportOutcome? Repeat(Run run, Report report, byte[]? earlier) =>
        earlier is null ? null
        : earlier.AsSpan().SequenceEqual(report.Digest) ? new ReportOutcome.Replayed(run)
        : new ReportOutcome.Mismatch(report.EventId!);

    /// <summary>Returns why a live run does not move to a state, or null when it does.</summary>
    private static ReportOutcome.Illegal? JudgeMove(Run run, Workflow workflow, string to)
    {
        var allowed = workflow.AllowedAfter(run.Status);
        if (run.Approval is not null && !Ends(to))
            return new ReportOutcome.Illegal(run.Status, to, [.. allowed.Where(Ends)], Terminal: false, Asked: true);
        return workflow.MayFollow(run.Status, to)
            ? null
            : new ReportOutcome.Illegal(run.Status, to, allowed, Terminal: false);

        bool Ends(string state) => workflow.States[state].Phase is Phase.Failed or Phase.Cancelled;
    }

    private async ValueTask<Run> ApplyAsync(
        Tx tx,
        HeldRun run,
        Workflow workflow,
        Report report,
        ArtifactUpdate artifacts
    )
    {
        if (artifacts.Body is not null)
            RunData.Put(tx, run.Project, run.Id, RunData.Artifacts, artifacts.Body);
        if (report.Output is not null)
            RunData.Put(tx, run.Project, run.Id, RunData.Output, report.Output);
        return await machine.MoveAsync(
            tx,
            run,
            new Change("report", report.By, report.Status)
            {
                // A report without an instant happened now, and after everything before it.
                OccurredAt = report.OccurredAt ?? Math.Max(tx.Now, (run.Marker ?? 0) + 1),
                EventId = report.EventId,
                CorrelationId = report.CorrelationId,
                Digest = report.Digest,
                Failure = workflow.States[report.Status].Phase == Phase.Failed ? report.Failure : null,
                Reason =
                    workflow.States[report.Status].Phase == Phase.Failed
                        ? report.Failure?.Message ?? report.Failure?.Code
                        : null,
                ProgressMillionths = report.ProgressMillionths,
                Detail = DetailOf(report, artifacts),
            }
        );
    }

    public static async ValueTask KeepRefusalAsync(Tx tx, Run run, Report report, ReportOutcome refused)
    {
        if (await RunEvents.IsFullAsync(tx, run.Project, run.Id))
            return;
        var (code, message) = Explain(refused);
        await RunEvents.AddAsync(
            tx,
            run.Project,
            run.Id,
            seq => new RunEvent
            {
                Seq = seq,
                Type = "report",
                At = tx.Now,
                Attempt = report.Attempt ?? run.Attempt,
                By = report.By,
                From = run.Status,
                To = report.Status,
                EventId = report.EventId,
                CorrelationId = report.CorrelationId,
                OccurredAt = report.OccurredAt,
                Accepted = false,
                Code = code,
                Detail = JsonSerializer.Serialize(new { reason = message }, Wire.Json),
            }
        );
    }

    /// <summary>Returns the code and the text of a refusal.</summary>
    public static (string Code, string Message) Explain(ReportOutcome refused) =>
        refused switch
        {
            ReportOutcome.Invalid r => (ReportCode.Validation, $"{r.Field} {r.Problem}"),
            ReportOutcome.Mismatch => (ReportCode.Mismatch, "This event id was accepted with other content."),
            ReportOutcome.Stale r => (
                ReportCode.Stale,
                $"The report is of attempt {r.ReportedAttempt}; the run is at attempt {r.CurrentAttempt}."
            ),
            ReportOutcome.OutOfOrder r => (
                ReportCode.OutOfOrder,
                $"A report of {Wire.IsoMicroseconds(r.Latest)} was applied already."
            ),
            ReportOutcome.Illegal { Terminal: true } r => (ReportCode.Terminal, $"The run has ended as {r.Current}."),
            ReportOutcome.Illegal { Asked: true } r => (
                ReportCode.Illegal,
                $"The run waits for an approval: until it is decided, {r.Attempted} does not follow."
            ),
            ReportOutcome.Illegal r => (ReportCode.Illegal, $"{r.Attempted} does not follow {r.Current}."),
            _ => throw new InvalidOperationException("Not a refusal."),
        };

    private static string? DetailOf(Report report, ArtifactUpdate artifacts)
    {
        var detail = new Dictionary<string, object>(StringComparer.Ordinal);
        if (report.ActorType is not null)
            detail["actorType"] = report.ActorType;
        if (report.Artifacts is { } updates)
            detail["artifacts"] = updates
                .EnumerateObject()
                .Where(u => u.Value.ValueKind != JsonValueKind.Null)
                .Select(u => u.Name);
        if (artifacts.Kept.Count > 0)
            detail["immutableArtifactsKept"] = artifacts.Kept;
        if (artifacts.Ignored.Count > 0)
            detail["unlistedArtifactsIgnored"] = artifacts.Ignored;
        if (report.Failure is not null)
            detail["failure"] = report.Failure;
        if (report.ProgressMillionths is { } progress)
            detail["progress"] = progress / 1_000_000m;
        return detail.Count == 0 ? null : JsonSerializer.Serialize(detail, Wire.Json);
    }
}
