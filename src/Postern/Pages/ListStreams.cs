using Postern.Access;

namespace Postern.Pages;

/// <summary>The streams of lists: each says when something in the list may have changed.</summary>
internal sealed class ListStreams(PageFeeds feeds) : IPages
{
    private static readonly string[] Lists = ["sessions", "runs", "approvals", "deliveries"];

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
    }
}
