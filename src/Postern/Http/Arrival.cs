using System.Net;

namespace Postern.Http;

/// <summary>
/// The data of a request that came through a relay (<see cref="RelayedFeatures"/>). Other requests have none. The
/// instant decides whether a signed message is fresh. The source is only the relay's word: it is shown, and nothing is
/// decided by it.
/// </summary>
/// <param name="Envelope">The id of the stored request: a repeat has the same.</param>
/// <param name="ReceivedAt">When the relay took it, in microseconds.</param>
/// <param name="Source">Where the relay says that it came from; null when it does not say.</param>
internal sealed record Arrival(string Envelope, long ReceivedAt, IPAddress? Source)
{
    /// <summary>Returns the arrival at a relay, or null for a request that came directly.</summary>
    public static Arrival? Of(HttpContext http) => (http.Features as RelayedFeatures)?.Arrival;

    /// <summary>The instant at which a signed message must be fresh: its arrival at a relay, or now.</summary>
    public static long InstantOf(HttpContext http, long now) => Of(http)?.ReceivedAt ?? now;
}
