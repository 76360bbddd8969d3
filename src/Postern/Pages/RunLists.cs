using Postern.Access;
using Postern.Dispatch;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>The list of runs, with its filters and counts, and why the runs in it have not ended.</summary>
internal sealed class RunLists(
    PageWriter writer,
    RunStore runs,
    RunCounts counts,
    WhyNotDone whys,
    StuckPages stuck,
    Database database
) : IPages
{
    public void Map(PageDoors pages) =>
        pages.Page("/runs", Authorization.Needs("read", "runs"), List).WithSummary("The runs");

    private async Task<IResult> List(PageContext context)
    {
        if (context.Http.Request.Query.ContainsKey(StuckPages.Filter))
            return await stuck.ListAsync(context);
        if (!PageFilters.Read(context.Http, RunsFilter.Names).Try(out var filters, out var wrong))
            return wrong;
        if (!RunsFilter.Read(context, filters).Try(out var filter, out var unfit))
            return unfit;
        var found = await runs.ListAsync(context.Project, filter, filters.Size, context.Http.RequestAborted);
        var counted = await counts.OfAsync(context.Project, filter);
        var (reasons, starters) = await database.ReadAsync(async tx =>
            (
                await whys.OfAllAsync(tx, found.Rows),
                await RunEvents.StartersAsync(
                    tx,
                    context.Project,
                    [.. found.Rows.Where(r => r is { Session: null, TriggerKey: null }).Select(r => r.Id)]
                )
            )
        );
        return await writer.PageAsync<RunsPage, RunsModel>(
            context,
            new RunsModel(found, filters, counted, reasons, starters)
        );
    }
}
