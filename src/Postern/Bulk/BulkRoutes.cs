using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>The routes for bulk actions: preview, start, progress, stop.</summary>
internal sealed class BulkRoutes(Database database, BulkStore store, BulkJobs jobs)
{
    private const int MaxBody = 64 * 1024;
    private const int JobSegment = 3;

    public void Map(Doors doors)
    {
        const string ofAction = "the action's";
        var group = doors.Group("/api/v1/bulk", ProblemFormat.Instance);
        group
            .Post("", Credentials.Key, ofAction, Ask)
            .Audits("bulk.asked")
            .WithSummary("Preview an action on many things, or start it")
            .Accepts<AskBulk>()
            .Produces<BulkPreview>()
            .Produces<BulkStarted>(202)
            .Produces(400, 401, 403, 409, 413);
        group
            .Get("", Credentials.Key, ofAction, List)
            .WithSummary("List the jobs whose actions the key may do, newest first")
            .Paged()
            .Produces<Page<BulkView>>()
            .Produces(400, 401, 403);
        group
            .Get("/{job}", Credentials.Key, ofAction, Retrieve)
            .WithSummary("Read a job, with the reasons of what it skipped")
            .Produces<BulkView>()
            .Produces(401, 404);
        group
            .Post("/{job}/stop", Credentials.Key, ofAction, Stop)
            .Audits("bulk.stopped")
            .WithSummary("Stop a job; what is done stays done")
            .Produces<BulkView>()
            .Produces(401, 404);
    }

    private async Task<IResult> Ask(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<AskBulk>();
        CheckMark(asked, fields);
        if (fields.Refusal() is { } wrong || jobs.Find(asked.Action) is not { } action)
        {
            caller.DecidedByHandler();
            return fields.Refusal()!;
        }
        if (asked.Filter.ValueKind != System.Text.Json.JsonValueKind.Object)
            return Refusal.BadRequest("filter must be an object", "invalid_filter");
        if (!BulkFilter.Read(asked.Filter, action.Filters).Try(out var filter, out var bad))
            return bad;
        if (!BulkJobs.Check(caller, action, filter, ProblemFormat.Instance).Try(out var ask, out var refusal))
            return refusal;
        return asked.Mark is { } mark
            ? await StartAsync(http, caller, ask, mark, asked.Reason)
            : await PreviewAsync(http, caller, ask);
    }

    /// <summary>The answer to a preview contains the mark for the start.</summary>
    private static void CheckMark(AskBulk asked, Fields fields)
    {
        var isPreview = asked.Preview == true;
        if (asked.Mark is null && !isPreview && !fields.Faults.Any(f => f.Field == "mark"))
            fields.Fault("mark", "is required without preview");
        if (asked.Mark is not null && isPreview)
            fields.Fault("mark", "is what a preview answers: it takes none");
    }

    private async Task<IResult> PreviewAsync(HttpContext http, ProjectCaller caller, BulkAsk ask)
    {
        var found = await jobs.PreviewAsync(http, caller, ask);
        return Reply.Ok(new BulkPreview(found.Matched, found.IsCapped, found.Sample, found.Mark));
    }

    private async Task<IResult> StartAsync(
        HttpContext http,
        ProjectCaller caller,
        BulkAsk ask,
        string mark,
        string? reason
    )
    {
        if (!(await jobs.StartAsync(http, caller, ask, mark, reason)).Try(out var job, out var refused))
            return refused;
        http.Response.Headers.Location = "/api/v1/bulk/" + job.Id;
        return Reply.Json(202, new BulkStarted(job.Id, job.Matched));
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        var allowed = jobs.Actions.Where(a => caller.Allows(a.RequiredScope)).Select(a => a.Name).ToHashSet();
        if (allowed.Count == 0)
            return ProblemFormat.Instance.Forbidden("write:runs");
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        var rows = await store.ListAsync(caller.Project, page.After?.Id, page.Limit + 1);
        var next = rows.Count > page.Limit ? new Cursor(0, rows[page.Limit - 1].Id).ToString() : null;
        var shown = rows.Take(page.Limit).Where(j => allowed.Contains(j.Action)).Select(j => BulkView.Of(j));
        return Reply.Ok(new Page<BulkView>([.. shown], next));
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller) =>
        (await FindAsync(http, caller)).Try(out var job, out var refusal) ? await ShowAsync(job) : refusal;

    private async Task<IResult> Stop(HttpContext http, ProjectCaller caller)
    {
        if (!(await FindAsync(http, caller)).Try(out var job, out var refusal))
            return refusal;
        await database.WriteAsync(tx => BulkStore.StopAsync(tx, job.Project, job.Id, Said(caller)));
        return await ShowAsync(await store.FindAsync(job.Project, job.Id) ?? job);
    }

    /// <summary>Returns why a caller has stopped a job.</summary>
    public static string Said(ProjectCaller caller) => "stopped by " + caller.Authority.LoggedActor;

    private async Task<IResult> ShowAsync(BulkJob job) =>
        Reply.Ok(BulkView.Of(job, await store.SkippedAsync(job.Project, job.Id)));

    /// <summary>
    /// Returns the job of the path. A job whose action the caller may not do looks as if it did not exist.
    /// </summary>
    private async ValueTask<Checked<BulkJob>> FindAsync(HttpContext http, ProjectCaller caller)
    {
        if (
            RequestPath.Segment(http, JobSegment) is { } id
            && await store.FindAsync(caller.Project, id) is { } job
            && jobs.MayTouch(caller, job)
        )
            return job;
        caller.DecidedByHandler();
        return new Refusal(404, "There is no such job.", "not_found");
    }
}
