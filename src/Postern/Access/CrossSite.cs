namespace Postern.Access;

/// <summary>
/// Whether another site's page may have made a request. Asked where the credential is one that a browser adds by
/// itself, such as the cookie behind a proxy's identity (OWASP ASVS 5.0, 3.5.1).
/// </summary>
internal static class CrossSite
{
    /// <summary>
    /// False when the browser says that it is our own page's, or when no form can have sent it: those ask for a
    /// preflight first.
    /// </summary>
    public static bool Made(HttpRequest request)
    {
        var headers = request.Headers;
        // A browser's own word, which no page can set: where it says that it was another site, nothing else is asked.
        var site = headers["Sec-Fetch-Site"];
        if (site.Count > 0)
            return site.Count > 1 || site[0] is not ("same-origin" or "none");
        if (
            headers.Origin is { Count: 1 } origin
            && Uri.TryCreate(origin[0], UriKind.Absolute, out var from)
            && string.Equals(from.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase)
        )
            return false;
        if (headers["X-Requested-With"].Count > 0)
            return false;
        return !System.Net.Http.Headers.MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            || type.MediaType is not { } media
            || !(
                media.Equals("application/json", StringComparison.OrdinalIgnoreCase)
                || media.EndsWith("+json", StringComparison.OrdinalIgnoreCase)
            );
    }
}
