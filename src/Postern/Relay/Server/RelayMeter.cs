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

    private static volatile RelayMeasure _measured = new(0, 0, 0, 0);
    private static readonly Instrument[] Backlog =
    [
        Meter.CreateObservableGauge(
            "postern.relay.planes",
            () => _measured.Planes,
            "{plane}",
            "Planes that have joined and are not revoked"
        ),
        Meter.CreateObservableGauge(
            "postern.relay.backlog.count",
            () => _measured.Count,
            "{request}",
            "Stored requests that no plane has answered"
        ),
        Meter.CreateObservableGauge("postern.relay.backlog.bytes", () => _measured.Bytes, "By", "Bytes of them"),
        Meter.CreateObservableGauge(
            "postern.relay.backlog.oldest",
            () => _measured.OldestSeconds,
            "s",
            "How old the oldest of them is"
        ),
    ];

    /// <summary>Whether somebody reads what waits: only then is it asked for.</summary>
    public static bool IsRead => Array.Exists(Backlog, instrument => instrument.Enabled);

    public static void Measured(RelayMeasure measured) => _measured = measured;

    public static void Stored() => Envelopes.Add(1);

    public static void Refused(int status) => Refusals.Add(1, KeyValuePair.Create("status", (object?)status));

    public static void Waited(TimeSpan took, bool isAnswered) =>
        WaitSeconds.Record(took.TotalSeconds, KeyValuePair.Create("answered", (object?)isAnswered));

    public static void Connected(string transport, int change) =>
        Connections.Add(change, KeyValuePair.Create("transport", (object?)transport));
}
