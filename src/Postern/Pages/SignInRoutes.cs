using Postern.Access;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// Signing in, by a key, by a link from the machine, or as whom a trusted proxy vouches for; and signing out. A wrong
/// key is answered like a revoked, expired or malformed one, and counts among its address's failures.
/// </summary>
internal sealed class SignInRoutes(
    PageWriter writer,
    Paths paths,
    ConsoleSessions sessions,
    KeyRing keys,
    CredentialReader credentials,
    FailedCredentials failed,
    AccessWatch access,
    Projects projects,
    PosternOptions options,
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

    private Task<IResult> Show(HttpContext http) => PageAsync(http, 200, null, http.Request.Query["next"].ToString());

    private async Task<IResult> SignIn(HttpContext http)
    {
        if (WhyNotHere(http) is { } insecure)
            return insecure;
        if (!(await ConsoleForm.ReadOfAnyoneAsync(http, Fields)).Try(out var form, out var refusal))
            return refusal;
        await access.EnsureRecentAsync();
        var (who, reason, keyId) = await WhoAsync(http, form);
        if (who is null)
        {
            var refused = failed.Refuse(http, reason, keyId, new Refusal(401, Wrong, "wrong_key"));
            return refused.Status == 401 ? await PageAsync(http, 401, Wrong, form["next"]) : refused;
        }
        if (
            http.Request.Cookies[ConsoleSessions.Cookie] is { } old
            && await sessions.FindAsync(old, database.Now) is { } before
        )
            await sessions.EndAsync(before.Row.Project, before.Row.Id, "signed_in_anew");
        var cookie = await sessions.BeginAsync(
            who.Project,
            who.Credential,
            who.Secret,
            credentials.AddressOf(http),
            http.Request.Headers.UserAgent.ToString()
        );
        SetCookie(http, cookie);
        return new Redirect(paths.Next(form["next"]));
    }

    /// <summary>The key, the link's key, or the proxy's person; null with the reason for the audit.</summary>
    private async ValueTask<(Signed? Who, string Reason, string? KeyId)> WhoAsync(HttpContext http, ConsoleForm form)
    {
        if (form.Text("identity") is { } identity)
            return await credentials.TryProxyAsync(http) is { Caller: { } person } && person.Authority.Actor == identity
                ? (new Signed(person.Project, identity, null), "", null)
                : (null, "other_identity", null);
        // What was copied with the link, or without it: both fields take it.
        if ((form.Text("once") ?? form.Text("key")) is not { } given)
            return (null, "missing", null);
        var text = given.Trim();
        if (await sessions.UseLinkAsync(text[(text.LastIndexOf('#') + 1)..]) is { } link)
            return await keys.FindAsync(link.Project, link.Key) is { } key && key.WhyEnded(database.Now) is null
                ? (new Signed(link.Project, link.Key, key.Row.Digest), "", null)
                : (null, "revoked", link.Key);
        return await keys.VerifyAsync(text, database.Now) is { } grant
            ? (new Signed(grant.Key.Row.Project, grant.Key.Row.Id, grant.Secret), "", null)
            : (null, "unknown_key", ApiKey.TryParse(text)?.Id);
    }

    private async Task<IResult> SignOut(PageContext context, ConsoleForm form)
    {
        context.Caller.DecidedByHandler();
        await sessions.EndAsync(context.Project, context.Authority.Session.Id, "signed_out");
        SetCookie(context.Http, null);
        return new Redirect(paths.Of("/sign-in"));
    }

    private async Task<IResult> PageAsync(HttpContext http, int status, string? problem, string next)
    {
        var person = await credentials.TryProxyAsync(http) is { Caller: { } vouched } ? vouched.Authority.Actor : null;
        var root = await projects.DefaultAsync() is { } project ? await keys.RootAsync(project) : null;
        return await writer.PageAsync<SignInPage, SignInModel>(
            writer.ContextOfAnyone(http),
            new SignInModel(problem, next, person, root?.Row.Id),
            status
        );
    }

    private const string Wrong = "That does not open the console: it is wrong, used, revoked or expired.";

    /// <summary>A key that is typed here must not be readable on the way.</summary>
    private Refusal? WhyNotHere(HttpContext http) =>
        options.Console.DangerousPlainHttp
        || credentials.IsOverTls(http)
        || System.Net.IPAddress.IsLoopback(credentials.ClientOf(http))
            ? null
            : new Refusal(
                403,
                "Signing in over plain HTTP would show the key to everybody on the way. Put a proxy with TLS in front, "
                    + "name its network in Postern:Operators:TrustedProxies and let it send X-Forwarded-Proto, or "
                    + "listen on an https address.",
                "plain_http"
            );

    private void SetCookie(HttpContext http, string? cookie)
    {
        var made = new CookieOptions
        {
            HttpOnly = true,
            SameSite = SameSiteMode.Strict,
            Path = paths.Cookie,
            Secure = credentials.IsOverTls(http),
        };
        if (cookie is null)
            http.Response.Cookies.Delete(ConsoleSessions.Cookie, made);
        else
            http.Response.Cookies.Append(ConsoleSessions.Cookie, cookie, made);
    }

    private sealed record Signed(string Project, string Credential, byte[]? Secret);
}
