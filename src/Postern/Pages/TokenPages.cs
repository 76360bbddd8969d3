using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>The pages of tokens: minting one, and ending one or all of a subject.</summary>
internal sealed class TokenPages(PageWriter writer, FormWrites writes, Tokens tokens, KeyAdmin admin, Database database)
    : IPages
{
    private static readonly string[] Names = ["token", "jti", "subject"];

    public void Map(PageDoors pages)
    {
        pages
            .Form("/tokens", Authorization.Admin, ["scopes", "life", "once"], Mint)
            .WithSummary("Mint a token")
            .Produces<string>(200, "text/html");
        pages.Form("/tokens/name", Authorization.Admin, ["token"], Name).WithSummary("Which token it is");
        pages.Page("/tokens/revoke", Authorization.Admin, AskToRevokeTokens).WithSummary("Whether to end tokens");
        pages.Form("/tokens/revoke", Authorization.Admin, [.. Names, "before"], RevokeTokens).WithSummary("End tokens");
    }

    private async Task<IResult> Mint(PageContext context, ConsoleForm form)
    {
        if (!KeyForm.ReadScopes(form["scopes"]).Try(out var scopes, out var malformed))
            return malformed;
        if (scopes.Length == 0)
            return KeyForm.Bad("scopes must name at least one");
        if (!KeyForm.ReadEnd(context, form["life"]).Try(out var ends, out var late))
            return late;
        if (ends.At is not { } until || until - context.Now > Wire.Microseconds(Tokens.MaxLife))
            return KeyForm.Bad("life must be at most 30 days");
        if (form["once"] is not ("" or "1"))
            return KeyForm.Bad("once must be 1, or not be sent");
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
                return KeyTab.Of(context, KeyTab.Tokens);
            }
        );
        return token is null
            ? result
            : await writer.PageAsync<ShownOncePage, ShownOnceModel>(
                context,
                new ShownOnceModel("The token", token, KeyTab.Of(context, KeyTab.Tokens), "To the tokens")
            );
    }

    /// <summary>No address contains a token; it contains the digest and the id of the token.</summary>
    private async Task<IResult> Name(PageContext context, ConsoleForm form)
    {
        await context.Caller.EnsureStillAllowedAsync();
        return Tokens.NamesOf(form["token"].Trim(), database.Now) is { } names
            ? new Redirect(
                context.Of("/tokens/revoke?token=" + names.Digest)
                    + (names.Jti is { } jti ? "&jti=" + Uri.EscapeDataString(jti) : "")
            )
            : KeyForm.Bad("token is not a token: three parts of base64url without padding");
    }

    private async Task<IResult> AskToRevokeTokens(PageContext context)
    {
        if (!PageFilters.Read(context.Http, [.. Names, "before"]).Try(out var asked, out var wrong))
            return wrong;
        if (!TokenRules.Read(context.Project, database.Now, name => asked[name]).Try(out var rules, out var unreadable))
            return unreadable;
        var what = rules[0] switch
        {
            { Kind: "subject", IssuedBefore: { } before } rule =>
                $"Every token of the subject {rule.Value} that was issued before {Wire.Iso(before)}",
            _ when asked["jti"].Length > 0 => $"The token {asked["jti"]}",
            var rule => $"The token with the digest {rule.Value}",
        };
        return await writer.PageAsync<ConfirmPage, ConfirmModel>(
            context,
            new ConfirmModel
            {
                Title = "Revoke tokens",
                Text =
                    what
                    + " ends at once, with every token made from it and every stream that it opened. "
                    + "It cannot be undone.",
                Button = "Revoke now",
                Action = context.Of("/tokens/revoke"),
                Back = KeyTab.Of(context, KeyTab.Tokens),
                Section = "keys",
                Hidden =
                [
                    .. Names.Where(n => asked[n].Length > 0).Select(n => (n, asked[n])),
                    .. rules[0].IssuedBefore is { } at ? new[] { ("before", Wire.Iso(at)) } : [],
                ],
            }
        );
    }

    private async Task<IResult> RevokeTokens(PageContext context, ConsoleForm form)
    {
        if (!TokenRules.Read(context.Project, database.Now, name => form[name]).Try(out var rules, out var unreadable))
            return unreadable;
        return await writes.AroundAsync(
            context,
            form,
            async () =>
            {
                await admin.RevokeTokensAsync(rules, context.Caller.Authority.LoggedActor, context.Caller);
                return KeyTab.Of(context, KeyTab.Tokens);
            }
        );
    }
}
