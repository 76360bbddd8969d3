using Microsoft.Net.Http.Headers;

namespace Postern.Http;

/// <summary>
/// Sets the headers of every answer, before anything else reads the request. No browser may guess the type of an
/// answer, frame it, run anything in it, or send its address to another server, and no cache may store it. A page has
/// its own policy, a transcript may be cached by the caller's own client, and a stream forbids buffering. Only these
/// replace the headers here.
/// </summary>
internal static class AnswerHeaders
{
    /// <summary>For answers that are no page: nothing may be loaded, run or framed.</summary>
    public const string NoPage = "default-src 'none'; frame-ancestors 'none'";

    /// <summary>
    /// For the reference page under <c>/docs</c>, where people type their keys: only its own files and this server's
    /// answers, no inline script, no frame around it. (Inline styles are allowed, because the library sets them.)
    /// </summary>
    public const string ReferencePage =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src "
        + "'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// <summary>For answers that only this caller may read, and may ask for again by ETag.</summary>
    public const string KeptByTheCaller = "private, no-cache";

    public static void Set(HttpResponse response)
    {
        var headers = response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.ContentSecurityPolicy = NoPage;
        headers["Referrer-Policy"] = "no-referrer";
        headers.CacheControl = "no-store";
    }

    /// <summary>Returns every header that decides which caller's answer it is.</summary>
    /// <param name="identityHeader">In which a trusted proxy names the person.</param>
    public static string VaryOf(string identityHeader) =>
        string.Join(
            ", ",
            HeaderNames.Accept,
            HeaderNames.AcceptEncoding,
            HeaderNames.Authorization,
            "X-API-Key",
            identityHeader,
            "x-openclaw-scopes",
            "x-postern-scopes"
        );
}
