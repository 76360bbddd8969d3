using Postern.Access;
using Postern.Dispatch;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>Cancels or retries many runs.</summary>
internal sealed class RunBulk(bool retries, Database database, RunMatches matches, RunActions actions)
    : BulkWrite(database)
{
    public const string Cancel = "runs.cancel";
    public const string Retry = "runs.retry";

    public override string Name => retries ? Retry : Cancel;

    public override string Audited => retries ? "run.retry" : "run.cancel";

    public override RequiredScope RequiredScope { get; } = new("write", "runs");

    public override IReadOnlyList<string> Filters { get; } =
    [BulkFilter.Ids, "status", "phase", "agent", "session", "trigger", "tag", "failureCode", "created", "olderThan"];

    public override string? WhyUnreadable(BulkFilter filter) =>
        filter.WhyUnreadable() ?? filter.WhyNotOf("phase", Phase.All);

    public override ValueTask<Listed<string>> PageAsync(
        string project,
        BulkScope scope,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    ) => matches.PageAsync(project, FilterOf(scope), after, limit, cancel);

    protected override async ValueTask<Skip?> DoAsync(Tx tx, BulkItem item)
    {
        var job = item.Job;
        if (
            await HeldRun.LockAsync(tx, job.Project, item.Id) is not { } run
            || !await RunMatches.IsFoundAsync(tx, job.Project, item.Id, FilterOf(item.Scope))
        )
            return Skip.Changed;
        // A cancelled run would be reported as done, although this job did not cancel it.
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
        return new RunFilter
        {
            Ids = filter.List(BulkFilter.Ids),
            Statuses = filter.List("status"),
            Phases = filter.List("phase"),
            Agents = filter.List("agent"),
            Sessions = filter.List("session"),
            Triggers = filter.List("trigger"),
            Tags = filter.List("tag"),
            FailureCodes = filter.List("failureCode"),
            From = from,
            To = to,
            IsShown = SessionStore.ShownTo(scope.WithInternal, "run"),
        };
    }
}
