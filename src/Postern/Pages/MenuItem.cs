namespace Postern.Pages;

/// <summary>One line of the menu. A page that the person may not open is not in it.</summary>
/// <param name="Path">Under <c>/console</c>; empty for the overview.</param>
/// <param name="Count">What waits there; 0 shows nothing.</param>
internal sealed record MenuItem(string Path, string Label, string Icon, long Count = 0)
{
    public static IEnumerable<MenuItem> Of(PageContext context)
    {
        yield return new("", "Overview", "graph");
        if (context.MayList("sessions"))
            yield return new("/sessions", "Sessions", "comment-discussion");
        if (context.MayList("runs"))
            yield return new("/runs", "Runs", "workflow");
        if (context.MayList("triggers"))
            yield return new("/triggers", "Triggers", "webhook");
        if (context.MayList("approvals"))
            yield return new("/approvals", "Approvals", "law", context.Waiting.Approvals);
        if (context.MayList("deliveries"))
            yield return new("/deliveries", "Deliveries", "paper-airplane", context.Waiting.DeadLetters);
        if (context.MayList("deliveries"))
            yield return new("/endpoints", "Endpoints", "inbox");
        if (context.MayList("tasks"))
            yield return new("/agents", "Agents", "agent");
        if (context.MayList("runs"))
            yield return new("/workflows", "Workflows", "tools");
        if (context.MayPlay)
            yield return new("/playground", "Playground", "beaker");
        if (context.MayAdmin)
        {
            yield return new("/doors", "Doors", "shield-lock");
            yield return new("/keys", "Keys", "key-asterisk");
            yield return new("/audit", "Audit", "log");
        }
        if (context.MayAdmin && context.IsDefaultProject)
        {
            yield return new("/server", "Server", "tools");
            yield return new("/relay", "Relay", "link-external");
        }
        if (MayBulk(context))
            yield return new("/bulk", "Many at once", "sync");
    }

    /// <summary>Returns whether there is a bulk action that the person may do.</summary>
    private static bool MayBulk(PageContext context) =>
        context.May("write", "runs")
        || context.May("admin", "sessions")
        || context.May("write", "deliveries")
        || context.May("trigger", "triggers");
}
