using Postern.Access;
using Postern.Bulk;
using Postern.Http;

namespace Postern.Pages;

/// <summary>The pages of bulk jobs: the list, one with its progress, and stopping it.</summary>
internal sealed class BulkPages(PageWriter writer, FormWrites writes, BulkJobs jobs, BulkStore store, PageFeeds feeds)
    : IPages
{
    private const int JobSegment = 2;

    public void Map(PageDoors pages)
    {
        const string rule = BulkAskPages.OfAction;
        pages.Page("/bulk", rule, List).WithSummary("The jobs over many things");
        pages.Page("/bulk/{job}", rule, Show).WithSummary("One job");
        pages.Stream("/bulk/{job}/live", rule, Follow).WithSummary("A job, as it goes on");
        pages.Form("/bulk/{job}/stop", rule, [], Stop).WithSummary("Stop a job").Audits("bulk.stopped");
    }

    private async Task<IResult> List(PageContext context)
    {
        var caller = context.Caller;
        var allowed = jobs.Actions.Where(a => caller.Allows(a.RequiredScope)).Select(a => a.Name).ToHashSet();
        if (allowed.Count == 0)
            return ConsoleFamily.Instance.Forbidden("write:runs");
        if (!PageFilters.Read(context.Http).Try(out var filters, out var wrong))
            return wrong;
        var rows = await store.ListAsync(context.Project, filters.After?.Id, filters.Size + 1);
        var next = rows.Count > filters.Size ? new Cursor(0, rows[filters.Size - 1].Id).ToString() : null;
        return await writer.PageAsync<BulkListPage, BulkListModel>(
            context,
            new BulkListModel([.. rows.Take(filters.Size).Where(j => allowed.Contains(j.Action))], next)
        );
    }

    private async Task<IResult> Show(PageContext context) =>
        (await FindAsync(context)).Try(out var job, out var refusal)
            ? await writer.PageAsync<BulkJobPage, BulkModel>(context, await ModelAsync(job))
            : refusal;

    private async Task<IResult> Follow(PageContext context)
    {
        if (!(await FindAsync(context)).Try(out var job, out var refusal))
            return refusal;
        return feeds.Follow(
            context,
            jobs.Find(job.Action)!.RequiredScopeOf(job.Filter),
            feeds.PicturesOf<BulkNow, BulkModel>(
                $"bulk {job.Project} {job.Id} pages",
                job.Id,
                async () => await store.FindAsync(job.Project, job.Id) is { } now ? await ModelAsync(now) : null
            )
        );
    }

    private async Task<IResult> Stop(PageContext context, ConsoleForm form)
    {
        if (!(await FindAsync(context)).Try(out var job, out var refusal))
            return refusal;
        var why = BulkRoutes.Said(context.Caller);
        return await writes.WriteAsync(
            context,
            form,
            async tx =>
            {
                return await BulkStore.StopAsync(tx, job.Project, job.Id, why) == 1
                    ? context.Of("/bulk", job.Id)
                    : new Refusal(409, "The job has ended before. Nothing was changed.", "job_ended");
            }
        );
    }

    private async ValueTask<BulkModel> ModelAsync(BulkJob job) =>
        new(job, job.SkippedCount == 0 ? [] : await store.SkippedAsync(job.Project, job.Id));

    private async ValueTask<Checked<BulkJob>> FindAsync(PageContext context)
    {
        if (
            RequestPath.Segment(context.Http, JobSegment) is { } id
            && await store.FindAsync(context.Project, id) is { } job
            && jobs.MayTouch(context.Caller, job)
        )
            return job;
        context.Caller.DecidedByHandler();
        return PageRefusals.NotFound;
    }
}
