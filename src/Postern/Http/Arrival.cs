using System.Net;

namespace Postern.Http;

/// <summary>
/// What is known of a request that a relay took and handed on (a feature of the request). Requests that came to this
/// server itself have none. The instant decides whether a signed message is fresh; the source is the relay's word: it
/// is shown, and nothing else is decided by it.
/// </summary>
/// <param name="Envelope">The id of the stored request: a repeat has the same.</param>
/// <param name="ReceivedAt">When the relay took it, in microseconds.</param>
/// <param name="Source">Where the relay says that it came from; null when it does not say.</param>
internal sealed record Arrival(string Envelope, long ReceivedAt, IPAddress? Source)
{
    /// <summary>The arrival at a relay; null for a request that came here by itself.</summary>
    public static Arrival? Of(HttpContext http) => http.Features.Get<Arrival>();

    /// <summary>The instant by which a signed message is fresh: its arrival at a relay, or now.</summary>
    public static long InstantOf(HttpContext http, long now) => Of(http)?.ReceivedAt ?? now;
}
