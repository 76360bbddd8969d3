using System.Globalization;
using Postern.Access;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>The page of one run with its timeline, and its live updates.</summary>
internal sealed class RunPages(PageWriter writer, PageFeeds feeds, RunFinder finder, RunModelReader reader) : IPages
{
    /// <summary>The query for the page of events behind a number.</summary>
    public const string EventsFilter = "events";

    public void Map(PageDoors pages)
    {
        const string reads = "read:runs:{run}";
        pages.Page("/runs/{run}", reads, Show).WithSummary("One run");
        pages.Stream("/runs/{run}/live", reads, Follow).WithSummary("A run, as it goes on");
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (!(await finder.FindAsync(context, "read")).Try(out var run, out var refusal))
            return refusal;
        if (!PageFilters.Read(context.Http, EventsFilter).Try(out var asked, out var wrong))
            return wrong;
        long? after = null;
        if (asked.Text(EventsFilter) is { } text)
        {
            if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                return PageFilters.Bad(EventsFilter + " is the number of an event");
            after = number;
        }
        var model = await reader.OfAsync(run, RunSight.Of(context));
        return await writer.PageAsync<RunPage, RunModel>(context, await reader.WithEventsAsync(model, after));
    }

    private async Task<IResult> Follow(PageContext context)
    {
        if (!(await finder.FindAsync(context, "read")).Try(out var run, out var refusal))
            return refusal;
        var sight = RunSight.Of(context);
        return feeds.Follow(
            context,
            new RequiredScope("read", "runs", run.Id),
            feeds.PicturesOf<RunNow, RunModel>(
                $"run {run.Id} pages {sight}",
                run.Id,
                () => reader.ReloadAsync(run, sight),
                WatchedRow.Run(run.Project, run.Id)
            )
        );
    }
}
