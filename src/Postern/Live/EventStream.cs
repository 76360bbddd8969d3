namespace Postern.Live;

/// <summary>Reads what a request says about the event stream that it wants.</summary>
internal static class EventStream
{
    public static long? LastEventId(HttpRequest request) =>
        request.Headers.TryGetValue("Last-Event-ID", out var last)
        && long.TryParse(last, System.Globalization.NumberStyles.None, null, out var seq)
        && seq < long.MaxValue
            ? seq
            : null;

    /// <summary>
    /// Returns whether an event stream is requested. It must be named: wildcards never stream, an invalid header means
    /// JSON, and HEAD, which has no body, opens no stream. When several ranges name it, the one with the most
    /// parameters decides.
    /// </summary>
    public static bool IsAskedFor(HttpRequest request)
    {
        if (HttpMethods.IsHead(request.Method) || request.Headers.Accept.Count == 0)
            return false;
        var (best, isWanted) = (-1, false);
        foreach (var range in Split(request.Headers.Accept.ToString(), ','))
        {
            var parts = Split(range, ';');
            if (!parts[0].Equals("text/event-stream", StringComparison.OrdinalIgnoreCase))
                continue;
            if (!TryParameters(parts.Skip(1), out var parameters, out var weight, out var isUtf8))
                return false;
            if (!isUtf8 || parameters < best)
                continue;
            isWanted = (parameters == best && isWanted) || weight.AsSpan().ContainsAny("123456789");
            best = parameters;
        }
        return isWanted;
    }

    /// <summary>Reads a range's parameters without its weight. Returns false when they cannot be read.</summary>
    private static bool TryParameters(IEnumerable<string> parts, out int parameters, out string weight, out bool isUtf8)
    {
        (parameters, weight, isUtf8) = (0, "1", true);
        foreach (var part in parts)
        {
            var (name, value) = part.IndexOf('=', StringComparison.Ordinal) is >= 0 and var at
                ? (part[..at], part[(at + 1)..])
                : (part, "");
            if (name.Length == 0 || name.EndsWith(' ') || value.StartsWith(' '))
                return false;
            if (name.Equals("q", StringComparison.OrdinalIgnoreCase))
                weight = value;
            else
                parameters++;
            if (name.Equals("charset", StringComparison.OrdinalIgnoreCase))
                isUtf8 = value.Trim('"').Equals("utf-8", StringComparison.OrdinalIgnoreCase);
        }
        return IsWeight(weight);
    }

    /// <summary>RFC 9110, section 12.4.2: 0 or 1, with at most three decimals.</summary>
    private static bool IsWeight(string text) =>
        text.Length is > 0 and <= 5
        && (text[0] is '0' or '1')
        && (text.Length == 1 || text[1] == '.')
        && text.AsSpan(Math.Min(2, text.Length)).IndexOfAnyExceptInRange('0', text[0] == '1' ? '0' : '9') < 0;

    /// <summary>Returns the parts of a header's value, trimmed. A separator inside of quotes does not count.</summary>
    private static List<string> Split(string text, char separator)
    {
        var (parts, from, quoted) = (new List<string>(), 0, false);
        for (var at = 0; at < text.Length; at++)
        {
            if (quoted && text[at] == '\\')
                at++;
            else if (text[at] == '"')
                quoted = !quoted;
            else if (text[at] == separator && !quoted)
            {
                parts.Add(text[from..at].Trim());
                from = at + 1;
            }
        }
        parts.Add(text[from..].Trim());
        return parts;
    }
}
