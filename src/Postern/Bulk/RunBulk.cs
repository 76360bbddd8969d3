using Postern.Access;
using Postern.Dispatch;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>Cancels or retries many runs.</summary>
internal sealed class RunBulk(bool retries, Database database, RunMatches matches, RunActions actions) : BulkAction
{
    public const string Cancel = "runs.cancel";
    public const string Retry = "runs.retry";

    public override string Name => retries ? Retry : Cancel;

    public override string Audited => retries ? "run.retry" : "run.cancel";

    public override RequiredScope RequiredScope { get; } = new("write", "runs");

    public override IReadOnlyList<string> Filters { get; } =
    ["status", "phase", "agent", "session", "trigger", "tag", "failureCode", "created", "olderThan"];

    public override string? WhyUnreadable(BulkFilter filter) =>
        filter.WhyUnreadable()
        ?? (
            filter.List("phase").Any(p => !Phase.All.Contains(p, StringComparer.Ordinal))
                ? "filter.phase must be of " + string.Join(", ", Phase.All)
                : null
        );

    public override async ValueTask<Listed<string>> PageAsync(
        string project,
        BulkScope scope,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    )
    {
        var from = after is { } at ? new Cursor(at.At, at.Id) : (Cursor?)null;
        var found = await matches.PageAsync(project, FilterOf(scope) with { After = from }, limit, cancel);
        return new Listed<string>([.. found.Rows.Select(r => r.Id)], found.Next);
    }

    public override Task DoAsync(BulkItem item, Func<Tx, Skip?, ValueTask> note) =>
        database.WriteAsync(async tx =>
        {
            await note(tx, await DoAsync(tx, item));
            return 0;
        });

    private async ValueTask<Skip?> DoAsync(Tx tx, BulkItem item)
    {
        var job = item.Job;
        if (
            await HeldRun.LockAsync(tx, job.Project, item.Id) is not { } run
            || !await RunMatches.IsFoundAsync(tx, job.Project, item.Id, FilterOf(item.Scope))
        )
            return Skip.Changed;
        // Cancelled once more it would be cancelled, and this job would not have done it.
        if (!retries && run.IsEnded)
            return new Skip("run_ended", $"The run has ended as {run.Status}.");
        var by = new Actor(job.By.Credential, job.By.Actor);
        var done = retries
            ? await actions.RetryAsync(tx, run, "bulk " + job.Id, null, by)
            : await actions.CancelAsync(tx, run, job.Reason, by);
        return done.Try(out _, out var refusal) ? null : Skip.Of(refusal);
    }

    private static RunFilter FilterOf(BulkScope scope)
    {
        var (from, to) = scope.Made;
        var filter = scope.Filter;
        return new RunFilter(
            filter.List("status"),
            filter.List("phase"),
            filter.List("agent"),
            filter.List("session"),
            filter.List("trigger"),
            filter.List("tag"),
            from,
            to,
            null,
            scope.WithInternal ? null : SessionStore.IsNotOfInternal("run")
        )
        {
            FailureCodes = filter.List("failureCode"),
        };
    }
}
