using Postern.Http;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>Finds the trigger of a page, for the signed-in person.</summary>
internal sealed class TriggerFinder(TriggerStore triggers)
{
    private const int KindSegment = 2;

    /// <summary>Returns the trigger that the path names.</summary>
    /// <param name="action">What is to be done to it: the scope's first word.</param>
    public ValueTask<Checked<Trigger>> FindAsync(PageContext context, string action) =>
        FindAsync(
            context,
            TriggerName.OfPath(
                RequestPath.Segment(context.Http, KindSegment),
                RequestPath.Segment(context.Http, KindSegment + 1),
                RequestPath.Segment(context.Http, KindSegment + 2)
            ),
            action
        );

    /// <summary>Returns the trigger that a field names as scopes do.</summary>
    public ValueTask<Checked<Trigger>> FindAsync(PageContext context, string scope, string action) =>
        FindAsync(context, TriggerName.OfScope(scope), action);

    private async ValueTask<Checked<Trigger>> FindAsync(PageContext context, TriggerName? name, string action)
    {
        var caller = context.Caller;
        if (name is null)
        {
            caller.DecidedByHandler();
            return PageRefusals.NotFound;
        }
        if (!caller.Allows(action, "triggers", name.Scope))
            return PageRefusals.Denied(caller, action, "triggers", name.Scope);
        return await triggers.FindAsync(caller.Project, name) is { } trigger ? trigger : PageRefusals.NotFound;
    }
}
