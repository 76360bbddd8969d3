using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// The door table as it is enforced: which credentials each door accepts, how often it refused, and whether it opens to
/// a key, to a token's scopes or to an identity. Also the explanation of a refusal.
/// </summary>
internal sealed class DoorPages(
    PageWriter writer,
    AuditStore audit,
    KeyStore keys,
    CredentialReader credentials,
    Projects projects
) : IPages
{
    private const int MostRefusals = 10_000;
    private const long Day = 86_400_000_000;
    private static readonly string[] Filters = ["path", "takes", "outcome", "key", "scopes", "identity"];
    private static readonly string[] Asked = ["id", "actor", "address", "route", "reason", "at"];
    private static readonly string[] Outcomes = [Opening.Opens, Opening.Some, Opening.Asks, Opening.Closed];

    private static readonly string[] Refusals =
    [
        Audit.CredentialRefused,
        Audit.ScopeRefused,
        Audit.RateRefused,
        Audit.InboundRefused,
    ];

    private IReadOnlyList<Door> _doors = [];

    public void Map(PageDoors pages)
    {
        _doors = pages.Table;
        pages.Page("/doors", Authorization.Admin, List).WithSummary("The doors, and who may open them");
        pages.Page("/doors/refused", Authorization.Admin, Refused).WithSummary("Why something was refused");
    }

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http, Filters).Try(out var filters, out var wrong))
            return wrong;
        if (filters["outcome"].Length > 0 && !Outcomes.Contains(filters["outcome"], StringComparer.Ordinal))
            return PageFilters.Bad($"outcome: {filters["outcome"]} is none of {string.Join(", ", Outcomes)}");
        if (!(await WhoAsync(context, filters)).Try(out var who, out var unknown))
            return unknown;
        var rows = _doors
            .OrderBy(d => d.Path, StringComparer.Ordinal)
            .ThenBy(d => d.Method, StringComparer.Ordinal)
            .Select(d => new DoorRow(d, who.Of(d)))
            .Where(r => r.Door.Path.Contains(filters["path"], StringComparison.OrdinalIgnoreCase))
            .Where(r => Door.NamesOf(r.Door.Credentials).Contains(filters["takes"], StringComparison.OrdinalIgnoreCase))
            .Where(r => filters["outcome"].Length == 0 || r.Opening?.Word == filters["outcome"])
            .ToList();
        var start = (int)Math.Clamp(filters.After?.At ?? 0, 0, rows.Count);
        var page = rows.Skip(start).Take(filters.Size).ToList();
        var (times, isWhole) = await audit.RefusedByRouteAsync(context.Project, context.Now - Day, MostRefusals);
        return await writer.PageAsync<DoorsPage, DoorsModel>(
            context,
            new DoorsModel
            {
                Rows = page,
                Count = rows.Count,
                Who = who.Words,
                Filters = filters,
                Next = start + page.Count < rows.Count ? new Cursor(start + page.Count, "door").ToString() : null,
                RefusedTimes = times,
                IsWhole = isWhole,
            }
        );
    }

    private async Task<IResult> Refused(PageContext context)
    {
        if (!PageFilters.Read(context.Http, Asked).Try(out var filters, out var wrong))
            return wrong;
        if (!AuditQuery.Read(context.Http.Request.Query).Try(out var filter, out var unreadable))
            return unreadable;
        var id = filters["id"];
        if (id.Length > 0 && await audit.FindAsync(context.Project, id) is { } one)
            return new Redirect(context.Of("/audit", one.Id));
        var found =
            id.Length > 0
                ? null
                : await audit.ListAsync(
                    context.Project,
                    filter with
                    {
                        Actions = Refusals,
                    },
                    filters.After?.Id,
                    filters.Size,
                    context.Http.RequestAborted
                );
        return await writer.PageAsync<RefusedPage, RefusedModel>(
            context,
            new RefusedModel(
                [
                    .. (found?.Rows ?? []).Select(e =>
                        (e, RefusalWords.Of(e.Row, AuditPages.DoorOf(_doors, e.Row.Route)))
                    ),
                ],
                Cursor.Text(found?.Next),
                filters
            )
        );
    }

    /// <summary>Returns whose rights the page shows.</summary>
    private async ValueTask<Checked<DoorAsker>> WhoAsync(PageContext context, PageFilters filters)
    {
        var (key, scopes, identity) = (filters["key"], filters["scopes"], filters["identity"]);
        if (filters.Used.Count(u => u is "key" or "scopes" or "identity") > 1)
            return PageFilters.Bad("key, scopes and identity: ask about one of them");
        if (key.Length > 0)
            return await OfKeyAsync(context, key);
        if (scopes.Length > 0)
            return OfScopes(scopes);
        return identity.Length == 0 ? DoorAsker.Nobody : await OfIdentityAsync(context, identity);
    }

    private async ValueTask<Checked<DoorAsker>> OfKeyAsync(PageContext context, string key)
    {
        if (await keys.FindAsync(key) is not { } row || row.Project != context.Project)
            return PageFilters.Bad("key is none of this project's");
        var words = $"The key {row.Id} ({row.Name})";
        if (row.RevokedAt is not null)
            return new DoorAsker(words, null, "the key is revoked");
        if (row.ExpiresAt <= context.Now)
            return new DoorAsker(words, null, "the key has expired");
        var isFirstRoot = row.Kind == "root" && row.Project == await projects.DefaultAsync();
        var scopes = row.Scopes.Count == 0 ? ScopeSet.Everything : ScopeSet.Parse(row.Scopes);
        return new DoorAsker(words, new Openings(Openings.OfKey(row.Kind), scopes, isFirstRoot), null);
    }

    private static Checked<DoorAsker> OfScopes(string scopes)
    {
        var listed = scopes.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries);
        return ScopeSet.FirstMalformed(listed) is { } malformed
            ? PageFilters.Bad($"scopes holds {malformed}, which is not action:type[:id]")
            : new DoorAsker(
                "A token with " + string.Join(' ', listed),
                new Openings(Credentials.Token, ScopeSet.Parse(listed), false),
                null
            );
    }

    private async ValueTask<Checked<DoorAsker>> OfIdentityAsync(PageContext context, string identity)
    {
        if (context.Project != await projects.DefaultAsync())
            return PageFilters.Bad("identity: a proxy's people belong to the project default");
        var role = credentials.ScopesOf(identity);
        return new DoorAsker(
            $"{identity}, as a trusted proxy names him or her ({string.Join(' ', role.Listed)})",
            new Openings(Openings.OfProxy, role, false),
            null
        );
    }

    /// <summary>The credential whose rights are shown.</summary>
    /// <param name="Words">Null: nobody's.</param>
    /// <param name="Openings">Null: it has ended, <paramref name="Ended"/> says how.</param>
    private sealed record DoorAsker(string? Words, Openings? Openings, string? Ended)
    {
        public static DoorAsker Nobody { get; } = new(null, null, null);

        public Opening? Of(Door door) =>
            Words is null ? null : Openings?.Of(door) ?? new Opening(Opening.Closed, Ended ?? "");
    }
}
