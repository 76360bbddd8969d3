using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// Everything that opens doors, one tab each: keys, callback secrets, approval services, sessions, tokens.
/// </summary>
internal sealed class KeyLists(
    PageWriter writer,
    KeyStore store,
    CallbackSecrets secrets,
    ApprovalServices services,
    ConsoleSessions sessions,
    AccessWatch watch
) : IPages
{
    public void Map(PageDoors pages) =>
        pages.Page("/keys", Authorization.Admin, List).WithSummary("Keys, secrets, services, sessions");

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http, "tab").Try(out var filters, out var wrong))
            return wrong;
        var tab = filters["tab"] is { Length: > 0 } asked ? asked : KeyTab.All[0];
        if (!KeyTab.All.Contains(tab, StringComparer.Ordinal))
            return PageFilters.Bad($"tab is none of {string.Join(", ", KeyTab.All)}");
        await watch.WriteUseAsync();
        var rows =
            tab == KeyTab.Keys
                ? await store.ListAsync(
                    context.Project,
                    filters.After?.At ?? long.MaxValue,
                    filters.After?.Id ?? "",
                    filters.Size + 1
                )
                : [];
        return await writer.PageAsync<KeysPage, KeysModel>(
            context,
            new KeysModel
            {
                Tab = tab,
                Keys = [.. rows.Take(filters.Size)],
                Next =
                    rows.Count > filters.Size
                        ? new Cursor(rows[filters.Size - 1].CreatedAt, rows[filters.Size - 1].Id).ToString()
                        : null,
                Secrets = tab == KeyTab.Secrets ? await secrets.ListAsync(context.Project) : [],
                Services = tab == KeyTab.Services ? services.Of(context.Project) : [],
                Sessions = tab == KeyTab.Sessions ? await sessions.ListAsync(context.Project, null) : [],
            }
        );
    }
}
