using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// What opens doors beside keys: callback secrets, approval services, sessions of the console, tokens. Each is done by
/// the code behind its API route.
/// </summary>
internal sealed class SecretPages(
    PageWriter writer,
    FormWrites writes,
    CallbackSecrets secrets,
    ApprovalServices services,
    ConsoleSessions sessions,
    Tokens tokens,
    KeyAdmin admin,
    AccessWatch watch,
    Database database
) : IPages
{
    private const int ThingSegment = 2;
    private const int MaxSubject = 256;

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
        pages
            .Form("/tokens", Authorization.Admin, ["scopes", "life", "once"], Mint)
            .WithSummary("Mint a token")
            .Produces<string>(200, "text/html");
        pages.Form("/tokens/name", Authorization.Admin, ["token"], Name).WithSummary("Which token it is");
        pages.Page("/tokens/revoke", Authorization.Admin, AskToRevokeTokens).WithSummary("Whether to end tokens");
        pages
            .Form("/tokens/revoke", Authorization.Admin, ["token", "jti", "subject", "before"], RevokeTokens)
            .WithSummary("End tokens");
    }

    private async Task<IResult> CreateSecret(PageContext context, ConsoleForm form)
    {
        var (secret, made) = (CallbackSecrets.NewText(), (string?)null);
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
                return context.Of("/keys?tab=secrets");
            }
        );
        return made is null
            ? result
            : await writer.PageAsync<ShownOncePage, ShownOnceModel>(
                context,
                new ShownOnceModel(
                    $"The callback secret {made}",
                    secret,
                    context.Of("/keys?tab=secrets"),
                    "To the secrets"
                )
            );
    }

    private async Task<IResult> AskToRevokeSecret(PageContext context)
    {
        var id = RequestPath.Segment(context.Http, ThingSegment);
        if ((await secrets.ListAsync(context.Project)).All(s => s.Id != id))
            return PageRefusals.NotFound;
        return await ConfirmAsync(
            context,
            "Revoke a callback secret",
            $"{id} ends at once: reports that come with it are refused.",
            "Revoke it now",
            $"/callback-secrets/{id}/revoke",
            "secrets",
            Curl.Send("DELETE", "/api/v1/callback-secrets/" + id)
        );
    }

    private async Task<IResult> RevokeSecret(PageContext context, ConsoleForm form) =>
        await writes.AroundAsync(
            context,
            form,
            async () =>
            {
                var id = RequestPath.Segment(context.Http, ThingSegment) ?? "";
                if (!await secrets.RevokeAsync(context.Project, id, context.Caller))
                    return PageRefusals.NotFound;
                await watch.RefreshAsync();
                return context.Of("/keys?tab=secrets");
            }
        );

    private async Task<IResult> AskToDeleteService(PageContext context)
    {
        var name = RequestPath.Segment(context.Http, ThingSegment) ?? "";
        return services.Find(context.Project, name) is null
            ? PageRefusals.NotFound
            : await ConfirmAsync(
                context,
                "Delete an approval service",
                $"The service {name} ends at once, with its secrets. Its open questions are decided by keys, by their "
                    + "page, or by the clock.",
                "Delete it now",
                $"/approval-services/{name}/delete",
                "services",
                Curl.Send("DELETE", "/api/v1/approval-services/" + name)
            );
    }

    private async Task<IResult> DeleteService(PageContext context, ConsoleForm form) =>
        await writes.AroundAsync(
            context,
            form,
            async () =>
            {
                var name = RequestPath.Segment(context.Http, ThingSegment) ?? "";
                if (!await services.DeleteAsync(context.Project, name, context.Caller))
                    return PageRefusals.NotFound;
                await watch.RefreshAsync();
                return context.Of("/keys?tab=services");
            }
        );

    private async Task<IResult> EndSession(PageContext context, ConsoleForm form) =>
        await writes.AroundAsync(
            context,
            form,
            async () =>
            {
                var id = RequestPath.Segment(context.Http, ThingSegment) ?? "";
                if (!await sessions.HasAsync(context.Project, id))
                    return PageRefusals.NotFound;
                // Of one that has ended meanwhile nothing is left to do.
                await sessions.EndAsync(context.Project, id, "ended_by_admin");
                await watch.RefreshAsync();
                return context.Of("/keys?tab=sessions");
            }
        );

    private async Task<IResult> Mint(PageContext context, ConsoleForm form)
    {
        if (!KeyPages.ReadScopes(form["scopes"]).Try(out var scopes, out var malformed))
            return malformed;
        if (scopes.Length == 0)
            return Bad("scopes must name at least one");
        if (!KeyPages.ReadEnd(context, form["life"]).Try(out var ends, out var late))
            return late;
        if (ends.At is not { } until || until - context.Now > Wire.Microseconds(Tokens.MaxLife))
            return Bad("life must be at most 30 days");
        if (form["once"] is not ("" or "1"))
            return Bad("once must be 1, or not be sent");
        var caller = context.Caller;
        if (caller.Authority.Grant is not { } grant)
            return new Refusal(403, "A token is minted by a key: sign in with one.", "key_required");
        if (Minting.Refuse(caller, scopes) is { } refused)
            return refused;
        string? token = null;
        var result = await writes.AroundAsync(
            context,
            form,
            async () =>
            {
                var made = await tokens.DeriveAsync(grant, context.Project, scopes, until, form["once"] == "1");
                await admin.MintedAsync(
                    context.Project,
                    scopes,
                    Math.Min(until, grant.ExpiresAt ?? long.MaxValue),
                    caller
                );
                token = made;
                return context.Of("/keys?tab=tokens");
            }
        );
        return token is null
            ? result
            : await writer.PageAsync<ShownOncePage, ShownOnceModel>(
                context,
                new ShownOnceModel("The token", token, context.Of("/keys?tab=tokens"), "To the tokens")
            );
    }

    /// <summary>A token travels in no address: what it is known by does.</summary>
    private async Task<IResult> Name(PageContext context, ConsoleForm form)
    {
        await context.Caller.EnsureStillAllowedAsync();
        return Tokens.NamesOf(form["token"].Trim(), database.Now) is { } names
            ? new Redirect(
                context.Of("/tokens/revoke?token=" + names.Digest)
                    + (names.Jti is { } jti ? "&jti=" + Uri.EscapeDataString(jti) : "")
            )
            : Bad("token is not a token: three parts of base64url without padding");
    }

    private async Task<IResult> AskToRevokeTokens(PageContext context)
    {
        if (!PageFilters.Read(context.Http, "token", "jti", "subject", "before").Try(out var asked, out var wrong))
            return wrong;
        if (!RulesOf(context, name => asked[name]).Try(out var rules, out var unreadable))
            return unreadable;
        var what = rules[0] switch
        {
            { Kind: "subject", IssuedBefore: { } before } rule =>
                $"Every token of the subject {rule.Value} that was issued before {Wire.Iso(before)}",
            _ when asked["jti"].Length > 0 => $"The token {asked["jti"]}",
            var rule => $"The token with the digest {rule.Value}",
        };
        return await ConfirmAsync(
            context,
            "End tokens",
            what + " ends at once, with every token made from it and every stream that it opened. It cannot be undone.",
            "End it now",
            "/tokens/revoke",
            "tokens",
            null,
            [
                .. ((string[])["token", "jti", "subject"]).Where(n => asked[n].Length > 0).Select(n => (n, asked[n])),
                .. rules[0].IssuedBefore is { } at ? new[] { ("before", Wire.Iso(at)) } : [],
            ]
        );
    }

    private async Task<IResult> RevokeTokens(PageContext context, ConsoleForm form)
    {
        if (!RulesOf(context, name => form[name]).Try(out var rules, out var unreadable))
            return unreadable;
        return await writes.AroundAsync(
            context,
            form,
            async () =>
            {
                await admin.RevokeTokensAsync(rules, context.Caller.Authority.LoggedActor, context.Caller);
                return context.Of("/keys?tab=tokens");
            }
        );
    }

    /// <summary>What is to end: one token, by its digest and its id, or those of a subject.</summary>
    private Checked<List<RevocationRow>> RulesOf(PageContext context, Func<string, string> of)
    {
        var (token, jti, subject, before) = (of("token"), of("jti"), of("subject"), of("before"));
        var until = database.Now + Wire.Microseconds(Tokens.MaxLife) + Tokens.ClockSkew;
        if (subject.Length > 0)
        {
            if (token.Length > 0 || jti.Length > 0)
                return Bad("jti, subject: name one of them");
            if (subject.Length > MaxSubject)
                return Bad($"subject has more than {MaxSubject} characters");
            var issued = database.Now;
            if (before is not ("" or "now") && !Wire.TryParseInstant(before, out issued))
                return Bad("before must be now, or an instant in ISO 8601");
            return new List<RevocationRow>
            {
                new(
                    context.Project,
                    "subject",
                    subject,
                    issued,
                    Math.Max(until, issued + Wire.Microseconds(Tokens.MaxLife)),
                    0
                ),
            };
        }
        if (before.Length > 0)
            return Bad("before goes with subject");
        if (token.Length == 0 && jti.Length == 0)
            return Bad("jti, subject: name one of them");
        if (jti.Length > MaxSubject || token.Length > MaxSubject)
            return Bad($"jti has more than {MaxSubject} characters");
        var rules = new List<RevocationRow>(2);
        if (token.Length > 0)
            rules.Add(new RevocationRow(context.Project, "token", token, null, until, 0));
        if (jti.Length > 0)
            rules.Add(new RevocationRow(context.Project, "jti", jti, null, until, 0));
        return rules;
    }

    private Task<IResult> ConfirmAsync(
        PageContext context,
        string title,
        string text,
        string button,
        string action,
        string tab,
        string? curl,
        IReadOnlyList<(string, string)>? hidden = null
    ) =>
        writer.PageAsync<ConfirmPage, ConfirmModel>(
            context,
            new ConfirmModel
            {
                Title = title,
                Text = text,
                Button = button,
                Action = context.Of(action),
                Back = context.Of("/keys?tab=" + tab),
                Section = "keys",
                Hidden = hidden ?? [],
                Curl = curl,
            }
        );

    private static Refusal Bad(string message) => Refusal.BadRequest(message + ".", "invalid_form");
}
