using Postern.Access;
using Postern.Http;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>The list of sessions, with its filters.</summary>
internal sealed class SessionLists(PageWriter writer, SessionStore sessions, SessionCounts counts) : IPages
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
        if (!MayList(context.Caller, filters.List("agent")))
            return ConsoleFamily.Instance.Forbidden("read:sessions");
        if (!FilterOf(context, filters).Try(out var filter, out var unfit))
            return unfit;
        var found = await sessions.ListAsync(context.Project, filter, filters.Size, context.Http.RequestAborted);
        return await writer.PageAsync<SessionsPage, SessionsModel>(
            context,
            new SessionsModel(found, filters, await counts.OfAsync(context.Project, filter))
        );
    }

    /// <summary>A person who may read only the tasks of some agents may list the sessions of these agents.</summary>
    private static bool MayList(ProjectCaller caller, IReadOnlyList<string> agents) =>
        caller.Allows("read", "sessions")
        || caller.Allows("read", "tasks")
        || (agents.Count > 0 && agents.All(agent => caller.Allows("read", "tasks", agent)));

    private static Checked<SessionFilter> FilterOf(PageContext context, PageFilters filters)
    {
        var statuses = filters.List("status");
        if (statuses.FirstOrDefault(s => !Session.Statuses.Contains(s, StringComparer.Ordinal)) is { } word)
            return PageFilters.Bad($"status: {word} is no status");
        if (
            !Wire.TryParseOptionalInstant(filters["from"], out long? from)
            || !Wire.TryParseOptionalInstant(filters["to"], out long? to)
        )
            return PageFilters.Bad("from and to are instants in ISO 8601, such as 2026-01-31");
        if (!filters.TryOlder(context.Now, out var older))
            return PageFilters.Bad(PageFilters.OlderIsNone);
        return new SessionFilter
        {
            Types = filters.List("type"),
            Tags = filters.List("tag"),
            Agents = filters.List("agent"),
            ExternalIds = filters.List("name"),
            Statuses = statuses,
            From = from,
            To = older < (to ?? long.MaxValue) ? older : to,
            After = filters.After,
            WithInternal = context.MayAdmin,
            Text = filters.Text("text"),
        };
    }
}
