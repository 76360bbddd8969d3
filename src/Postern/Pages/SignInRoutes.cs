using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// Signing in, by a key, by a link from the machine, or as whom a trusted proxy vouches for; and signing out. A wrong
/// key is answered like a revoked, expired or malformed one, and counts among its address's failures.
/// </summary>
internal sealed class SignInRoutes(
    SignInView view,
    BrowserSession browser,
    Paths paths,
    ConsoleSessions sessions,
    KeyRing keys,
    CredentialReader credentials,
    FailedCredentials failed,
    AccessWatch access,
    Database database
) : IPages
{
    private static readonly string[] Fields = ["key", "once", "identity", "next"];

    public void Map(PageDoors pages)
    {
        var group = pages.OfAnyone;
        group.Get("/sign-in", Credentials.Anyone, Show).WithSummary("The page to sign in on").Hide();
        group
            .Post("/sign-in", Credentials.Anyone, SignIn)
            .WithSummary("Signing in")
            .Accepts<string>("application/x-www-form-urlencoded")
            .Hide();
        pages.Form("/sign-out", "any", [], SignOut).WithSummary("Signing out").Audits("console.signed_out");
    }

    private Task<IResult> Show(HttpContext http) =>
        view.ShowAsync(http, 200, null, http.Request.Query["next"].ToString());

    private async Task<IResult> SignIn(HttpContext http)
    {
        if (browser.WhyNotHere(http) is { } insecure)
            return insecure;
        if (!(await ConsoleForm.ReadOfAnyoneAsync(http, Fields)).Try(out var form, out var refusal))
            return refusal;
        await access.EnsureRecentAsync();
        var (who, reason, keyId) = await WhoAsync(http, form);
        if (who is null)
        {
            var refused = failed.Refuse(http, reason, keyId, new Refusal(401, Wrong, "wrong_key"));
            return refused.Status == 401 ? await view.ShowAsync(http, 401, Wrong, form["next"]) : refused;
        }
        await browser.BeginAsync(http, who);
        return new Redirect(paths.Next(form["next"]));
    }

    /// <summary>The key, the link's key, or the proxy's person; null with the reason for the audit.</summary>
    private async ValueTask<(ConsolePerson? Who, string Reason, string? KeyId)> WhoAsync(
        HttpContext http,
        ConsoleForm form
    )
    {
        if (form.Text("identity") is { } identity)
            return await credentials.TryProxyAsync(http) is { Caller: { } person } && person.Authority.Actor == identity
                ? (new ConsolePerson(person.Project, ConsolePerson.OfProxy + identity), "", null)
                : (null, "other_identity", null);
        // What was copied with the link, or without it: both fields take it.
        if ((form.Text("once") ?? form.Text("key")) is not { } given)
            return (null, "missing", null);
        var text = given.Trim();
        if (await sessions.UseLinkAsync(text[(text.LastIndexOf('#') + 1)..]) is { } link)
            return await keys.FindAsync(link.Project, link.Key) is { } key && key.WhyEnded(database.Now) is null
                ? (new ConsolePerson(link.Project, link.Key, key.Row.Digest), "", null)
                : (null, "revoked", link.Key);
        return await keys.VerifyAsync(text, database.Now) is { } grant
            ? (new ConsolePerson(grant.Key.Row.Project, grant.Key.Row.Id, grant.Secret), "", null)
            : (null, keys.WhyRefused(text, database.Now, out var known), known);
    }

    private async Task<IResult> SignOut(PageContext context, ConsoleForm form)
    {
        context.Caller.DecidedByHandler();
        await sessions.EndAsync(context.Project, context.Authority.Session.Id, "signed_out");
        browser.Forget(context.Http);
        return new Redirect(paths.Of("/sign-in"));
    }

    private const string Wrong = "That does not open the console: it is wrong, used, revoked or expired.";
}
