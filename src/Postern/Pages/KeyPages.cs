using Postern.Access;
using Postern.Runs;

namespace Postern.Pages;

/// <summary>One key, with what it did and what ended with it.</summary>
internal sealed class KeyPages(
    PageWriter writer,
    KeyStore store,
    ConsoleSessions sessions,
    AuditStore audit,
    RunEvents events,
    AccessWatch watch,
    RevokedEverywhere everywhere
) : IPages
{
    private const int MostShown = 20;
    private const int MostSessions = 100;

    public void Map(PageDoors pages) => pages.Page("/keys/{key}", Authorization.Admin, Show).WithSummary("One key");

    private async Task<IResult> Show(PageContext context)
    {
        await watch.WriteUseAsync();
        if (await KeyForm.FindAsync(store, context) is not { } key)
            return PageRefusals.NotFound;
        await everywhere.WaitAsync(context, key);
        var filter = new AuditFilter { Actor = key.Id };
        var cancel = context.Http.RequestAborted;
        var ended = key.RevokedAt is { } at
            ? await audit.ListAsync(
                key.Project,
                filter with
                {
                    Action = Audit.StreamEnded,
                    From = at - 1,
                },
                null,
                MostShown,
                cancel
            )
            : null;
        return await writer.PageAsync<KeyPage, KeyModel>(
            context,
            new KeyModel
            {
                Key = key,
                Addresses = await store.AddressesAsync(key.Project, key.Id),
                Sessions = await sessions.OfCredentialAsync(key.Project, key.Id, MostSessions),
                Did = (await audit.ListAsync(key.Project, filter, null, MostShown, cancel)).Rows,
                Decided = (
                    await audit.ListAsync(
                        key.Project,
                        filter with
                        {
                            Action = "approval.decided",
                        },
                        null,
                        MostShown,
                        cancel
                    )
                ).Rows,
                Minted = (
                    await audit.ListAsync(key.Project, filter with { Action = "token.minted" }, null, MostShown, cancel)
                ).Rows,
                Ended = ended?.Rows ?? [],
                Runs = await events.StartedByAsync(key.Project, key.Id, MostShown),
            }
        );
    }
}
