using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// The pages of what opens doors besides keys: callback secrets, approval services, sessions of the console. The code
/// behind the API's routes makes and ends them.
/// </summary>
internal sealed class SecretPages(
    PageWriter writer,
    FormWrites writes,
    CallbackSecrets secrets,
    ApprovalServices services,
    ConsoleSessions sessions,
    AccessWatch watch
) : IPages
{
    private const int ThingSegment = 2;

    public void Map(PageDoors pages)
    {
        pages
            .Form("/callback-secrets", Authorization.Admin, [], CreateSecret)
            .WithSummary("Make a callback secret")
            .Produces<string>(200, "text/html");
        pages
            .Page("/callback-secrets/{secret}/revoke", Authorization.Admin, AskToRevokeSecret)
            .WithSummary("Whether to revoke a callback secret");
        pages
            .Form("/callback-secrets/{secret}/revoke", Authorization.Admin, [], RevokeSecret)
            .WithSummary("Revoke a callback secret");
        pages
            .Page("/approval-services/{service}/delete", Authorization.Admin, AskToDeleteService)
            .WithSummary("Whether to delete an approval service");
        pages
            .Form("/approval-services/{service}/delete", Authorization.Admin, [], DeleteService)
            .WithSummary("Delete an approval service");
        pages
            .Form("/console-sessions/{console}/end", Authorization.Admin, [], EndSession)
            .WithSummary("End a session of the console")
            .Audits("console.ended");
    }

    private async Task<IResult> CreateSecret(PageContext context, ConsoleForm form)
    {
        var (secret, made) = (CallbackSecrets.NewText(), (string?)null);
        var list = KeyTab.Of(context, KeyTab.Secrets);
        var result = await writes.AroundAsync(
            context,
            form,
            async () =>
            {
                (made, _) = await secrets.CreateAsync(context.Project, secret, context.Caller);
                if (made is null)
                    return new Refusal(
                        409,
                        $"The project has {CallbackSecrets.MaxLive} live secrets. Revoke the older one first.",
                        "too_many_secrets"
                    );
                await watch.RefreshAsync();
                return list;
            }
        );
        return made is null
            ? result
            : await writer.PageAsync<ShownOncePage, ShownOnceModel>(
                context,
                new ShownOnceModel($"The callback secret {made}", secret, list, "To the secrets")
            );
    }

    private async Task<IResult> AskToRevokeSecret(PageContext context)
    {
        var id = Named(context);
        if ((await secrets.ListAsync(context.Project)).All(s => s.Id != id))
            return PageRefusals.NotFound;
        return await ConfirmAsync(
            context,
            "Revoke a callback secret",
            $"{id} ends at once: reports that come with it are refused.",
            "Revoke it now",
            $"/callback-secrets/{id}",
            "revoke",
            KeyTab.Secrets
        );
    }

    private Task<IResult> RevokeSecret(PageContext context, ConsoleForm form) =>
        EndAsync(context, form, KeyTab.Secrets, id => secrets.RevokeAsync(context.Project, id, context.Caller));

    private async Task<IResult> AskToDeleteService(PageContext context)
    {
        var name = Named(context);
        if (services.Find(context.Project, name) is null)
            return PageRefusals.NotFound;
        return await ConfirmAsync(
            context,
            "Delete an approval service",
            $"The service {name} ends at once, with its secrets. Its open questions are decided by keys, by their "
                + "page, or by the clock.",
            "Delete it now",
            $"/approval-services/{name}",
            "delete",
            KeyTab.Services
        );
    }

    private Task<IResult> DeleteService(PageContext context, ConsoleForm form) =>
        EndAsync(context, form, KeyTab.Services, name => services.DeleteAsync(context.Project, name, context.Caller));

    private Task<IResult> EndSession(PageContext context, ConsoleForm form) =>
        EndAsync(
            context,
            form,
            KeyTab.Sessions,
            async id =>
            {
                if (!await sessions.HasAsync(context.Project, id))
                    return false;
                // A session that has ended meanwhile needs nothing more.
                await sessions.EndAsync(context.Project, id, "ended_by_admin");
                return true;
            }
        );

    /// <summary>Ends the thing that the path names, and the sessions and streams that it has opened here.</summary>
    /// <param name="end">Returns false when there is none of that name.</param>
    private Task<IResult> EndAsync(PageContext context, ConsoleForm form, string tab, Func<string, Task<bool>> end) =>
        writes.AroundAsync(
            context,
            form,
            async () =>
            {
                if (!await end(Named(context)))
                    return PageRefusals.NotFound;
                await watch.RefreshAsync();
                return KeyTab.Of(context, tab);
            }
        );

    private Task<IResult> ConfirmAsync(
        PageContext context,
        string title,
        string text,
        string button,
        string thing,
        string verb,
        string tab
    ) =>
        writer.PageAsync<ConfirmPage, ConfirmModel>(
            context,
            new ConfirmModel
            {
                Title = title,
                Text = text,
                Button = button,
                Action = context.Of($"{thing}/{verb}"),
                Back = KeyTab.Of(context, tab),
                Section = "keys",
                Curl = Curl.Send("DELETE", "/api/v1" + thing),
            }
        );

    private static string Named(PageContext context) => RequestPath.Segment(context.Http, ThingSegment) ?? "";
}
