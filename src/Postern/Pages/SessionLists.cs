using Postern.Http;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>The list of sessions, with its filters.</summary>
internal sealed class SessionLists(PageWriter writer, SessionStore sessions) : IPages
{
    private static readonly string[] Filters =
    [
        "status",
        "agent",
        "tag",
        "type",
        "name",
        "from",
        "to",
        "older",
        "text",
    ];

    public void Map(PageDoors pages) =>
        pages.Page("/sessions", "read:sessions or read:tasks", List).WithSummary("The sessions");

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http, Filters).Try(out var filters, out var wrong))
            return wrong;
        var agents = filters.List("agent");
        var allowed =
            context.Caller.Allows("read", "sessions")
            || context.Caller.Allows("read", "tasks")
            || (agents.Count > 0 && agents.All(agent => context.Caller.Allows("read", "tasks", agent)));
        if (!allowed)
            return ConsoleFamily.Instance.Forbidden("read:sessions");
        if (
            filters.List("status").FirstOrDefault(s => s is not ("ACTIVE" or "CLOSED" or "EXPIRED" or "IDLE")) is
            { } word
        )
            return PageFilters.Bad($"status: {word} is no status");
        if (!TryInstant(filters["from"], out var from) || !TryInstant(filters["to"], out var to))
            return PageFilters.Bad("from and to are instants in ISO 8601, such as 2026-01-31");
        if (!filters.TryOlder(context.Now, out var older))
            return PageFilters.Bad(PageFilters.OlderIsNone);
        var filter = new SessionFilter(
            filters.List("type"),
            filters.List("tag"),
            agents,
            filters.List("name"),
            filters.List("status"),
            from,
            older < (to ?? long.MaxValue) ? older : to,
            filters.After,
            null,
            context.MayAdmin
        )
        {
            Text = filters.Text("text"),
        };
        var found = await sessions.ListAsync(context.Project, filter, filters.Size, context.Http.RequestAborted);
        return await writer.PageAsync<SessionsPage, SessionsModel>(context, new SessionsModel(found, filters));
    }

    private static bool TryInstant(string text, out long? instant)
    {
        instant = null;
        if (text.Length == 0)
            return true;
        if (!Wire.TryParseInstant(text, out var parsed))
            return false;
        instant = parsed;
        return true;
    }
}
