using System.Diagnostics;
using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>Previews and starts jobs, for the API and the console.</summary>
internal sealed class BulkJobs(
    Database database,
    BulkPreviews previews,
    IEnumerable<BulkAction> actions,
    CredentialReader credentials
)
{
    public const int SampleSize = 5;
    private const int PageOfIds = 1000;

    /// <summary>How long a preview searches when its filter rarely matches.</summary>
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(10);

    private readonly BulkAction[] _actions = [.. actions];

    /// <summary>All actions, by their names.</summary>
    public IEnumerable<BulkAction> Actions => _actions;

    public BulkAction? Find(string? name) => _actions.FirstOrDefault(a => a.Name == name);

    /// <summary>Returns the request, when the caller may make it and its filter can be read.</summary>
    public static Checked<BulkAsk> Check(ProjectCaller caller, BulkAction action, BulkFilter filter, ErrorFormat family)
    {
        var need = action.RequiredScopeOf(filter);
        if (!caller.Allows(need))
            return family.Forbidden(need.ToString());
        if (caller.Authority.Mandate is null)
            return new Refusal(403, "A job is started by a key, or by who is signed in to the console.", "needs_key");
        return action.WhyUnreadable(filter) is { } why
            ? Refusal.BadRequest(why, "invalid_filter") with
            {
                ShouldRetry = false,
            }
            : new BulkAsk(action, filter);
    }

    /// <summary>Finds the things that would be affected, and stores them for the start.</summary>
    public async Task<BulkFound> PreviewAsync(HttpContext http, ProjectCaller caller, BulkAsk ask)
    {
        var scope = new BulkScope(ask.Filter, database.Now, caller.Authority.Allows(RequiredScope.FullAdmin));
        var began = Stopwatch.GetTimestamp();
        var ids = new List<string>();
        (long, string)? after = null;
        do
        {
            caller.EnsureStillAllowed();
            var page = await ask.Action.PageAsync(caller.Project, scope, after, PageOfIds, http.RequestAborted);
            ids.AddRange(page.Rows);
            after = page.Next;
        } while (after is not null && ids.Count < BulkJob.MaxItems && Stopwatch.GetElapsedTime(began) < MostTime);
        var isCapped = ids.Count > BulkJob.MaxItems || after is not null;
        if (ids.Count > BulkJob.MaxItems)
            ids.RemoveRange(BulkJob.MaxItems, ids.Count - BulkJob.MaxItems);
        caller.EnsureStillAllowed();
        var mark = await previews.KeepAsync(caller.Project, ask, ids, scope.AsOf);
        return new BulkFound(ids.Count, isCapped, [.. ids.Take(SampleSize)], mark);
    }

    /// <summary>Starts the previewed action. One mark gives one job, however often it is sent.</summary>
    /// <param name="http">The request.</param>
    /// <param name="caller">Who asks.</param>
    /// <param name="ask">The same as was previewed.</param>
    /// <param name="mark">Of the preview.</param>
    /// <param name="reason">Why, for people; null: none.</param>
    /// <param name="first">What is done in the same transaction, before; null: nothing.</param>
    public async Task<Checked<BulkJob>> StartAsync(
        HttpContext http,
        ProjectCaller caller,
        BulkAsk ask,
        string mark,
        string? reason,
        Func<Tx, ValueTask<Refusal?>>? first = null
    )
    {
        var project = caller.Project;
        var digest = BulkPreviews.DigestOf(mark);
        var preview = await previews.FindAsync(project, ask, mark);
        var address = credentials.AddressOf(http);
        caller.EnsureStillAllowed();
        return await database.WriteAsync<Checked<BulkJob>>(async tx =>
        {
            await ProjectQuota.LockAsync(tx, project);
            if (await BulkStore.FindAsync(tx, project, digest) is { } known)
                return known.Action == ask.Action.Name ? known : WrongMark;
            if (preview is not { } found)
                return WrongMark;
            if (first is not null && await first(tx) is { } refusal)
                return refusal;
            var job = new BulkJob
            {
                Project = project,
                Id = Id.New(BulkJob.Prefix, tx.Now),
                Action = ask.Action.Name,
                Filter = ask.Filter,
                Reason = reason,
                AsOf = found.At,
                By = caller.Authority.Mandate!,
                Address = address,
                Items = found.Items,
                Matched = found.Matched,
                Status = BulkJob.Running,
                CreatedAt = tx.Now,
                MovedAt = tx.Now,
            };
            return await BulkStore.StartAsync(tx, job, digest) is { } started ? started : Running;
        });
    }

    /// <summary>Returns whether the caller may see and stop a job.</summary>
    public bool MayTouch(ProjectCaller caller, BulkJob job) =>
        Find(job.Action) is { } action && caller.Allows(action.RequiredScopeOf(job.Filter));

    /// <summary>Returns the ids of a job's or a preview's items.</summary>
    public static IReadOnlyList<string> ItemsOf(string items) => JsonSerializer.Deserialize<string[]>(items) ?? [];

    private static Refusal WrongMark =>
        new(
            409,
            "The mark is of no preview of this action and filter in the last 15 minutes: preview it again.",
            "wrong_mark"
        );

    private static Refusal Running =>
        new(409, "Two jobs of this project are running: wait for one, or stop it.", "bulk_running");
}
