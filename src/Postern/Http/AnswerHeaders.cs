using Microsoft.Net.Http.Headers;

namespace Postern.Http;

/// <summary>
/// The headers that every answer carries, set in one place before anything else looks at a request: no browser guesses
/// the type of an answer, shows it in a frame, runs anything in it, or tells the next server where it was; and no cache
/// keeps it. A page has a policy of its own, a transcript that can be asked for again may be kept by the caller's own
/// client, a stream says that nobody may hold it back: they say so in place of what stands here, and nothing else does.
/// </summary>
internal static class AnswerHeaders
{
    /// <summary>Of whatever is no page: nothing may be loaded, run or framed.</summary>
    public const string NoPage = "default-src 'none'; frame-ancestors 'none'";

    /// <summary>
    /// Of the reference page under <c>/docs</c>, where people type their keys in: its own files and this server's
    /// answers, no script that stands in the page itself, and no frame around it. (Styles do: the library sets them as
    /// it draws.)
    /// </summary>
    public const string ReferencePage =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src "
        + "'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// <summary>What only this caller may read and may ask for again by its ETag.</summary>
    public const string KeptByTheCaller = "private, no-cache";

    public static void Set(HttpResponse response)
    {
        var headers = response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.ContentSecurityPolicy = NoPage;
        headers["Referrer-Policy"] = "no-referrer";
        headers.CacheControl = "no-store";
    }

    /// <summary>Every header by which one caller's answer differs from another's.</summary>
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
