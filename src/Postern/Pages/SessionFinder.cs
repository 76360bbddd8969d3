using Postern.Http;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>Finds the session that a page's path names, for the signed-in person.</summary>
internal sealed class SessionFinder(SessionDoor door)
{
    private const int SessionSegment = 2;

    /// <param name="action">What is to be done to it: the scope's first word.</param>
    public async ValueTask<Checked<Session>> FindAsync(PageContext context, string action)
    {
        var found = await door.FindAsync(context.Http, context.Caller, SessionSegment, action);
        if (found.Try(out var session, out var refusal))
            return session;
        return refusal.Status == 403
            ? ConsoleFamily.Instance.Forbidden($"{action}:sessions:{RequestPath.Segment(context.Http, SessionSegment)}")
            : PageRefusals.NotFound;
    }
}
