namespace Postern.Access;

/// <summary>
/// Detects requests that another site's page may have made. It is used for credentials that a browser adds by itself,
/// such as the cookie behind a proxy's identity (OWASP ASVS 5.0, 3.5.1).
/// </summary>
internal static class CrossSite
{
    /// <summary>
    /// Returns false when the browser says that it is our own page, or when no form can have sent it: such requests
    /// need a preflight.
    /// </summary>
    public static bool Made(HttpRequest request)
    {
        var headers = request.Headers;
        // A browser's own word, which no page can set. When it names another site, nothing else is checked.
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
