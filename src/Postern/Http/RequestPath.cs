using Microsoft.AspNetCore.Http.Features;

namespace Postern.Http;

/// <summary>
/// The path in the client's spelling. Ids may contain an encoded slash, so segments are taken from the raw target and
/// decoded once. A target that could be read as another path is refused before any handler, so that both readings
/// agree.
/// </summary>
internal static class RequestPath
{
    /// <summary>
    /// Returns true for empty or dot segments in any encoding, plain backslashes and NULs: only an attacker or a bug
    /// sends such paths. An encoded backslash is a character of a name, like an encoded slash.
    /// </summary>
    public static bool IsOdd(string rawTarget)
    {
        var path = PathOf(rawTarget);
        if (path.IsEmpty || path[0] != '/')
            return true;
        if (path.Contains('\\') || path.Contains("%00", StringComparison.Ordinal))
            return true;
        if (path.Length == 1)
            return false;
        foreach (var range in path[1..].Split('/'))
        {
            var segment = path[1..][range];
            if (segment.IsEmpty && range.End.Value != path.Length - 1)
                return true;
            if (IsDots(segment))
                return true;
        }
        return false;
    }

    /// <summary>Returns a segment, decoded once, or null when there is none or it is no UTF-8 text.</summary>
    public static string? Segment(HttpContext http, int index)
    {
        var path = PathOf(http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        var at = -1;
        foreach (var range in path.Split('/'))
        {
            if (at++ != index)
                continue;
            var text = Uri.UnescapeDataString(path[range].ToString());
            return
                text.Length == 0
                || text.Contains('\0', StringComparison.Ordinal)
                || text.Contains('\uFFFD', StringComparison.Ordinal)
                ? null
                : text;
        }
        return null;
    }

    private static ReadOnlySpan<char> PathOf(string rawTarget)
    {
        var query = rawTarget.IndexOf('?', StringComparison.Ordinal);
        return query < 0 ? rawTarget : rawTarget.AsSpan(0, query);
    }

    private static bool IsDots(ReadOnlySpan<char> segment)
    {
        var dots = 0;
        while (!segment.IsEmpty)
        {
            if (segment[0] == '.')
                segment = segment[1..];
            else if (segment.StartsWith("%2e", StringComparison.OrdinalIgnoreCase))
                segment = segment[3..];
            else
                return false;
            dots++;
        }
        return dots is 1 or 2;
    }
}
