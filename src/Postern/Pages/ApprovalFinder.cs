using Postern.Access;
using Postern.Approvals;
using Postern.Http;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>Finds the question that the path of a page names, for whoever may see it.</summary>
internal sealed class ApprovalFinder(ApprovalStore approvals, SessionDoor door)
{
    private const int ApprovalSegment = 2;

    /// <summary>The question of the path; null where there is none for whoever looks.</summary>
    public async ValueTask<Approval?> FindAsync(PageContext context)
    {
        var caller = context.Caller;
        caller.DecidedByHandler();
        if (
            RequestPath.Segment(context.Http, ApprovalSegment) is not { } id
            || !(caller.Allows("read", "approvals", id) || MayDecide(caller, id))
            || await approvals.FindWholeAsync(caller.Project, id) is not { } approval
        )
            return null;
        // Nobody decides what he cannot see: who may decide it sees it, of an internal session too.
        return MayDecide(caller, id) || !await door.HidesAsync(caller, approval.Session) ? approval : null;
    }

    /// <summary>Whether the right was granted by its name.</summary>
    /// <param name="id">The question; null: every one.</param>
    public static bool MayDecide(ProjectCaller caller, string? id) =>
        caller.Authority.Allows(new RequiredScope("write", "approvals", id, How: Given.ByName));
}
