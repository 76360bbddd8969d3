using Postern.Access;
using Postern.Approvals;
using Postern.Http;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>Finds the question that a page's path names, for a person who may see it.</summary>
internal sealed class ApprovalFinder(ApprovalStore approvals, SessionDoor door)
{
    private const int ApprovalSegment = 2;

    /// <summary>Returns the question of the path, or null when there is none that this person may see.</summary>
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
        // Nobody decides what he cannot see. So a person who may decide a question also sees it, even one of an
        // internal session.
        return MayDecide(caller, id) || !await door.HidesAsync(caller, approval.Session) ? approval : null;
    }

    /// <summary>Returns whether the right was granted by its name.</summary>
    /// <param name="id">The question; null: every one.</param>
    public static bool MayDecide(ProjectCaller caller, string? id) =>
        caller.Authority.Allows(new RequiredScope("write", "approvals", id, How: Given.ByName));
}
