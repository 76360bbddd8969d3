using Microsoft.Net.Http.Headers;

namespace Postern.Live;

/// <summary>What a request says about the event stream that it wants.</summary>
internal static class EventStream
{
    public static long? LastEventId(HttpRequest request) =>
        request.Headers.TryGetValue("Last-Event-ID", out var last) && long.TryParse(last, System.Globalization.NumberStyles.None, null, out var seq) && seq < long.MaxValue ? seq : null;

    /// <summary>
    /// An event stream is asked for by name; wildcards never stream, what cannot be read is JSON, and HEAD, which has
    /// no body, holds nothing open.
    /// </summary>
    public static bool IsAskedFor(HttpRequest request)
    {
        if (HttpMethods.IsHead(request.Method) || request.Headers.Accept.Count == 0) return false;
        if (!MediaTypeHeaderValue.TryParseStrictList(request.Headers.Accept, out var accepted)) return false;
        var best = accepted.Where(Names).ToList();
        if (best.Any(a => a.Quality is null && a.Parameters.Any(p => p.Name.Equals("q", StringComparison.OrdinalIgnoreCase)))) return false;
        return best.Count > 0 && best.Max(a => a.Quality ?? 1) > 0;

        static bool Names(MediaTypeHeaderValue accept) =>
            accept.MediaType.Equals("text/event-stream", StringComparison.OrdinalIgnoreCase)
            && (!accept.Charset.HasValue || accept.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase) || accept.Charset.Equals("\"utf-8\"", StringComparison.OrdinalIgnoreCase));
    }
}
