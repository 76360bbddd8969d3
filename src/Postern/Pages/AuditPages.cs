using Postern.Access;

namespace Postern.Pages;

/// <summary>The audit: who changed what, and what was refused, newest first; and one row of it.</summary>
internal sealed class AuditPages(PageWriter writer, AuditStore store) : IPages
{
    private const int RowSegment = 2;
    private IReadOnlyList<Door> _doors = [];

    public void Map(PageDoors pages)
    {
        _doors = pages.Table;
        pages.Page("/audit", Authorization.Admin, List).WithSummary("The audit");
        pages.Page("/audit/{row}", Authorization.Admin, Show).WithSummary("One row of the audit");
    }

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http, AuditQuery.Names).Try(out var filters, out var wrong))
            return wrong;
        if (!AuditQuery.Read(context.Http.Request.Query).Try(out var filter, out var unreadable))
            return unreadable;
        var found = await store.ListAsync(
            context.Project,
            filter,
            filters.After?.Id,
            filters.Size,
            context.Http.RequestAborted
        );
        return await writer.PageAsync<AuditPage, AuditModel>(context, new AuditModel(found, filters));
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (
            Http.RequestPath.Segment(context.Http, RowSegment) is not { } id
            || await store.FindAsync(context.Project, id) is not { } entry
        )
            return PageRefusals.NotFound;
        var beside = entry.IsRefusal && entry.Row.Address is not null ? await store.BesideAsync(entry) : [];
        var door = DoorOf(_doors, entry.Row.Route);
        return await writer.PageAsync<AuditRowPage, AuditRowModel>(
            context,
            new AuditRowModel(entry, door, beside, entry.IsRefusal ? RefusalWords.Of(entry.Row, door) : null)
        );
    }

    /// <summary>Returns the door of a route, in the audit's spelling.</summary>
    public static Door? DoorOf(IReadOnlyList<Door> doors, string? route) =>
        doors.FirstOrDefault(d =>
            route is not null
            && (
                route == $"{d.Method} {d.Path}"
                || (d.Method == Door.AnyMethod && route.EndsWith(" " + d.Path, StringComparison.Ordinal))
            )
        );
}
