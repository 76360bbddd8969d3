namespace Postern.Pages;

/// <summary>One line of the menu. A page that the person may not open is not in it.</summary>
/// <param name="Path">Under <c>/console</c>; empty for the overview.</param>
/// <param name="Count">What waits there; 0 shows nothing.</param>
internal sealed record MenuItem(string Path, string Label, string Icon, long Count = 0)
{
    public static IEnumerable<MenuItem> Of(PageContext context) =>
        All.Where(line => line.IsFor(context))
            .Select(line => line.Item with { Count = line.Count?.Invoke(context) ?? 0 });

    private static readonly Line[] All =
    [
        new(_ => true, new("", "Overview", "graph")),
        new(c => c.MayList("sessions"), new("/sessions", "Sessions", "comment-discussion")),
        new(c => c.MayList("runs"), new("/runs", "Runs", "workflow")),
        new(c => c.MayList("triggers"), new("/triggers", "Triggers", "webhook")),
        new(c => c.MayList("approvals"), new("/approvals", "Approvals", "law"), c => c.Waiting.Approvals),
        new(
            c => c.MayList("deliveries"),
            new("/deliveries", "Deliveries", "paper-airplane"),
            c => c.Waiting.DeadLetters
        ),
        new(c => c.MayList("deliveries"), new("/endpoints", "Endpoints", "inbox")),
        new(c => c.MayList("tasks"), new("/agents", "Agents", "agent")),
        new(c => c.MayList("runs"), new("/workflows", "Workflows", "tools")),
        new(c => c.MayPlay, new("/playground", "Playground", "beaker")),
        new(c => c.MayAdmin, new("/doors", "Doors", "shield-lock")),
        new(c => c.MayAdmin, new("/keys", "Keys", "key-asterisk")),
        new(c => c.MayAdmin, new("/audit", "Audit", "log")),
        new(c => c.MayAdmin && c.IsDefaultProject, new("/server", "Server", "tools")),
        new(c => c.MayAdmin && c.IsDefaultProject, new("/relay", "Relay", "link-external")),
        new(MayBulk, new("/bulk", "Bulk jobs", "sync")),
    ];

    /// <summary>Returns whether there is a bulk action that the person may do.</summary>
    private static bool MayBulk(PageContext context) =>
        context.May("write", "runs")
        || context.May("admin", "sessions")
        || context.May("write", "deliveries")
        || context.May("trigger", "triggers");

    /// <param name="IsFor">Whether the person may open it.</param>
    /// <param name="Count">What waits there; null: nothing is counted.</param>
    private sealed record Line(Func<PageContext, bool> IsFor, MenuItem Item, Func<PageContext, long>? Count = null);
}
