using Postern.Access;
using Postern.Live;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>The streams of lists: each says when something in the list may have changed.</summary>
internal sealed class ListStreams(PageStreams streams, StreamRegistry registry, Database database) : IPages
{
    private static readonly string[] Lists = ["sessions", "runs", "approvals", "deliveries"];

    public void Map(PageDoors pages)
    {
        foreach (var list in Lists)
            pages
                .Stream($"/{list}/live", Authorization.Needs("read", list), context => Follow(context, list))
                .WithSummary($"Whether something among the {list} has changed");
    }

    private Task<IResult> Follow(PageContext context, string list) =>
        Task.FromResult<IResult>(new ListLive(streams, registry, database, context.Caller, list));
}
