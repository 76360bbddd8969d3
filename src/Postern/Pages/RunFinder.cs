using Postern.Http;
using Postern.Runs;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>Finds the run that a page's path names, for the signed-in person.</summary>
internal sealed class RunFinder(RunStore runs, SessionDoor door)
{
    private const int RunSegment = 2;

    /// <param name="action">What is to be done to it: the scope's first word.</param>
    public async ValueTask<Checked<Run>> FindAsync(PageContext context, string action)
    {
        var caller = context.Caller;
        if (RequestPath.Segment(context.Http, RunSegment) is not { } id)
            return PageRefusals.NotFound;
        if (!caller.Allows(action, "runs", id))
            return PageRefusals.Denied(caller, action, "runs", id);
        var run = await runs.FindAsync(caller.Project, id);
        return run is null || await door.HidesAsync(caller, run.Session) ? PageRefusals.NotFound : run;
    }
}
