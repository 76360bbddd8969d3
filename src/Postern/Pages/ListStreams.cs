using Postern.Access;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>The streams of lists. Each reports when something in its list may have changed.</summary>
internal sealed class ListStreams(PageFeeds feeds, TriggerFinder triggers) : IPages
{
    private static readonly string[] Lists = ["sessions", "runs", "approvals", "deliveries", "triggers"];

    public void Map(PageDoors pages)
    {
        foreach (var list in Lists)
            pages
                .Stream(
                    $"/{list}/live",
                    Authorization.Needs("read", list),
                    context => Task.FromResult(feeds.FollowList(context, list))
                )
                .WithSummary($"Whether something among the {list} has changed");
        pages
            .Stream(TriggerPaths.One + "/live", "read:triggers:{trigger}", FollowCaptures)
            .WithSummary("Whether something among the captures of a trigger has changed");
    }

    private async Task<IResult> FollowCaptures(PageContext context) =>
        (await triggers.FindAsync(context, "read")).Try(out var trigger, out var refusal)
            ? feeds.FollowChanges(
                context,
                new RequiredScope("read", "triggers", trigger.Name.Scope),
                Topics.Captures(trigger.Project, trigger.Uid)
            )
            : refusal;
}
