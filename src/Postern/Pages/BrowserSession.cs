using Postern.Access;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>Opens a session of the console for a browser and sets its cookie, for every way to sign in.</summary>
internal sealed class BrowserSession(
    Paths paths,
    ConsoleSessions sessions,
    CredentialReader credentials,
    PosternOptions options,
    Database database
)
{
    /// <summary>Returns why a sign-in must not be made over this connection, or null when nobody can read it.</summary>
    public Refusal? WhyNotHere(HttpContext http) =>
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

    /// <summary>Opens a session under a new id, and ends the browser's previous one.</summary>
    public async Task BeginAsync(HttpContext http, ConsolePerson person)
    {
        if (
            http.Request.Cookies[ConsoleSessions.Cookie] is { } old
            && await sessions.FindAsync(old, database.Now) is { } before
        )
            await sessions.EndAsync(before.Row.Project, before.Row.Id, "signed_in_anew");
        var cookie = await sessions.BeginAsync(
            person,
            credentials.AddressOf(http),
            http.Request.Headers.UserAgent.ToString()
        );
        http.Response.Cookies.Append(ConsoleSessions.Cookie, cookie, Made(http));
    }

    /// <summary>Removes the cookie.</summary>
    public void Forget(HttpContext http) => http.Response.Cookies.Delete(ConsoleSessions.Cookie, Made(http));

    private CookieOptions Made(HttpContext http) =>
        new()
        {
            HttpOnly = true,
            SameSite = SameSiteMode.Strict,
            Path = paths.Cookie,
            Secure = credentials.IsOverTls(http),
        };
}
