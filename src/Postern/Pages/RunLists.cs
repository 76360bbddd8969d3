using Postern.Access;
using Postern.Dispatch;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>The list of runs, with its filters and counts, and why those that have not ended have not.</summary>
internal sealed class RunLists(
    PageWriter writer,
    RunStore runs,
    RunCounts counts,
    WhyNotDone whys,
    StuckPages stuck,
    Database database
) : IPages
{
    private static readonly string[] Filters =
    [
        "phase",
        "agent",
        "trigger",
        "session",
        "failure",
        "tag",
        "status",
        "created",
    ];

    public void Map(PageDoors pages) =>
        pages.Page("/runs", Authorization.Needs("read", "runs"), List).WithSummary("The runs");

    private async Task<IResult> List(PageContext context)
    {
        if (context.Http.Request.Query.ContainsKey(StuckPages.Filter))
            return await stuck.ListAsync(context);
        if (!PageFilters.Read(context.Http, Filters).Try(out var filters, out var wrong))
            return wrong;
        if (filters.List("phase").FirstOrDefault(p => !Phase.All.Contains(p, StringComparer.Ordinal)) is { } word)
            return PageFilters.Bad($"phase: {word} is no phase");
        if (
            !RunQuery.TryReadSpan(context.Http.Request.Query, "created", out var from, out var to)
            && filters["created"].Length > 0
        )
            return PageFilters.Bad("created is from..to in ISO 8601, such as 2026-01-31..2026-02-01");
        var filter = new RunFilter(
            filters.List("status"),
            filters.List("phase"),
            filters.List("agent"),
            filters.List("session"),
            filters.List("trigger"),
            filters.List("tag"),
            from,
            to,
            filters.After,
            context.MayAdmin ? null : SessionStore.IsNotOfInternal("run")
        )
        {
            FailureCodes = filters.List("failure"),
        };
        var found = await runs.ListAsync(context.Project, filter, filters.Size, context.Http.RequestAborted);
        var counted = await counts.OfAsync(context.Project, filter);
        var reasons = await database.ReadAsync(tx => whys.OfAllAsync(tx, found.Rows));
        return await writer.PageAsync<RunsPage, RunsModel>(context, new RunsModel(found, filters, counted, reasons));
    }
}
