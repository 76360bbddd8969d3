using System.Diagnostics.Metrics;

namespace Postern.Relay.Server;

/// <summary>What a relay reports of itself.</summary>
internal static class RelayMeter
{
    private static readonly Meter Meter = new("Postern");
    private static readonly Counter<long> Envelopes = Meter.CreateCounter<long>(
        "postern.relay.envelopes",
        "{request}",
        "Requests that were stored for a plane"
    );
    private static readonly Counter<long> Refusals = Meter.CreateCounter<long>(
        "postern.relay.refused",
        "{request}",
        "Requests that were answered without being stored, by status"
    );
    private static readonly Histogram<double> WaitSeconds = Meter.CreateHistogram<double>(
        "postern.relay.wait.duration",
        "s",
        "How long a caller waited for the answer of a plane, or for nothing"
    );
    private static readonly UpDownCounter<long> Connections = Meter.CreateUpDownCounter<long>(
        "postern.relay.connections",
        "{connection}",
        "Connections of planes, by transport"
    );

    public static void Stored() => Envelopes.Add(1);

    public static void Refused(int status) => Refusals.Add(1, KeyValuePair.Create("status", (object?)status));

    public static void Waited(TimeSpan took, bool isAnswered) =>
        WaitSeconds.Record(took.TotalSeconds, KeyValuePair.Create("answered", (object?)isAnswered));

    public static void Connected(string transport, int change) =>
        Connections.Add(change, KeyValuePair.Create("transport", (object?)transport));
}
