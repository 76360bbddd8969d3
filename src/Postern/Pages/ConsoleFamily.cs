using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Settings;

namespace Postern.Pages;

/// <summary>
/// The console's answers: pages for people, all with one policy. A person without a session is redirected to the
/// sign-in when navigating, and otherwise gets problem details.
/// </summary>
internal sealed class ConsoleFamily : ErrorFormat
{
    public const string Prefix = "/console";

    public const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        + "trusted-types postern";

    public static ConsoleFamily Instance { get; } = new();

    public override string ContentType => ProblemFormat.Instance.ContentType;

    public override Type Shape => typeof(Problem);

    public override IReadOnlyList<string> Prefixes { get; } = [Prefix];

    public override void WriteBody(Utf8JsonWriter json, Refusal refusal, HttpContext http) =>
        ProblemFormat.Instance.WriteBody(json, refusal, http);

    public override Refusal Forbidden(string requiredScope) =>
        new(403, $"Whoever is signed in lacks the scope {requiredScope}.", "missing_scope");

    public override string Unauthorized(UnfitCredential why) => "Sign in to the console.";

    public override void Prepare(HttpContext http)
    {
        var headers = http.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.CacheControl = "no-store";
    }

    public override async ValueTask<bool> TryAnswerAsync(Refusal refusal, HttpContext http)
    {
        var writer = http.RequestServices.GetRequiredService<PageWriter>();
        if (refusal.Status != 401)
        {
            await (await writer.ErrorAsync(http, refusal)).ExecuteAsync(http);
            return true;
        }
        if (!IsNavigation(http.Request) && !IsSentForm(http.Request) || refusal.Code != "unauthorized")
            return false;
        http.Response.Headers.Remove("WWW-Authenticate");
        http.Response.Headers.Remove("x-should-retry");
        http.Response.Headers.Remove(RefusalId.Header);
        // The strict cookie does not come with a link from another site. Asking again from this page sends it.
        if (http.Request.Headers["Sec-Fetch-Site"] is ["cross-site"])
            await (await writer.RefreshAsync(http, writer.Paths.Public(NextOf(http.Request)))).ExecuteAsync(http);
        else
            await new Redirect(
                writer.Paths.Of("/sign-in?next=" + Uri.EscapeDataString(NextOf(http.Request)))
            ).ExecuteAsync(http);
        return true;
    }

    /// <summary>A person's browser opens a page, so a redirect is useful.</summary>
    private static bool IsNavigation(HttpRequest request) =>
        HttpMethods.IsGet(request.Method)
        && (
            request.Headers["Sec-Fetch-Mode"] is { Count: > 0 } mode
                ? mode == "navigate"
                : request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase)
        );

    /// <summary>A person's browser sends a form of a page whose session has ended meanwhile.</summary>
    private static bool IsSentForm(HttpRequest request) =>
        HttpMethods.IsPost(request.Method) && request.Headers["Sec-Fetch-Mode"] is ["navigate"];

    private static string NextOf(HttpRequest request) =>
        HttpMethods.IsPost(request.Method)
            ? PageOf(request.Path.Value!)
            : request.Path.Value + request.QueryString.Value;

    /// <summary>The page on which a form stands, by the form's path: nothing is sent again by itself.</summary>
    private static string PageOf(string path) =>
        path.Split('/', StringSplitOptions.RemoveEmptyEntries) switch
        {
            [_, "tokens" or "callback-secrets" or "approval-services" or "console-sessions", ..] => Prefix + "/keys",
            [_, "settings", ..] => Prefix + "/settings",
            _ => path[..path.LastIndexOf('/')],
        };
}
