using System.Diagnostics.Metrics;
using Postern.Storage;

namespace Postern.Relay.Protocol;

/// <summary>
/// Counts what either side refuses from the other. It is one instrument with one unit in both kinds of process.
/// </summary>
internal static class RefusalMeter
{
    private static readonly Counter<long> Refusals = Meters.Counter(
        "postern.relay.refused",
        "{refusal}",
        "Requests that a relay answered without storing them, by status; frames of a relay that a server refused"
    );

    public static void Request(int status) => Refusals.Add(1, Meters.Tag("status", status));

    public static void Frame() => Refusals.Add(1, Meters.Tag("status", "frame"));
}
