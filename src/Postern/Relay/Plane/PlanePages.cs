using System.Buffers.Text;
using Postern.Approvals;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>Makes the frames for the questions that people open at relays.</summary>
internal sealed class PlanePages(PageStore store, PageTexts texts, ApprovalStore approvals, Database database)
{
    private const int Page = 200;

    public PageStore Store => store;

    /// <summary>Adds rows for the open questions that have none yet.</summary>
    public async Task AddMissingAsync(string plane, CancellationToken stop)
    {
        if (!store.AreWanted)
            return;
        for (var after = (0L, "", ""); !stop.IsCancellationRequested; )
        {
            var some = await approvals.OpenAsync(after, Page);
            await store.AddAsync(plane, [.. some.Where(a => a.LinkDigest is not null)]);
            if (some.Count < Page)
                return;
            after = (some[^1].ExpiresAt, some[^1].Project, some[^1].Id);
        }
    }

    /// <summary>
    /// Returns the frame that tells a relay of a question, or null when the question's time is over and this server has
    /// not ended it yet.
    /// </summary>
    public async Task<Frame?> FrameOfAsync(string plane, JoinedPage page)
    {
        var approval = await approvals.FindWholeAsync(page.Project, page.Approval);
        if (approval is null)
            return new Frame(new PageEndHead(page.Page, JoinedPage.Ended));
        if (!approval.IsPending)
        {
            var outcome = Base64Url.DecodeFromChars(texts.Outcome(plane, approval, null).Sealed);
            return new Frame(new PageEndHead(page.Page, JoinedPage.Ended), outcome);
        }
        return approval.IsOverdue(database.Now)
            ? null
            : new Frame(
                new PageHead(page.Page, JoinedPage.Open, approval.ExpiresAt / 1000),
                texts.Question(plane, approval)
            );
    }
}
