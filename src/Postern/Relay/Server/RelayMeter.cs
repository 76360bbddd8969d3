using System.Diagnostics.Metrics;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>Metrics of a relay.</summary>
internal static class RelayMeter
{
    private static readonly Counter<long> Envelopes = Meters.Counter(
        "postern.relay.envelopes",
        "{request}",
        "Requests that were stored for a plane"
    );
    private static readonly Histogram<double> WaitSeconds = Meters.Seconds(
        "postern.relay.wait.duration",
        "How long a caller waited for the answer of a plane, or for nothing"
    );
    private static readonly UpDownCounter<long> Connections = Meters.Level(
        "postern.relay.connections",
        "{connection}",
        "Connections of planes, by transport"
    );

    private static volatile RelayMeasure _measured = new(0, 0, 0, 0);
    private static readonly Instrument[] Backlog =
    [
        Meters.Gauge(
            "postern.relay.planes",
            () => _measured.Planes,
            "{plane}",
            "Planes that have joined and are not revoked"
        ),
        Meters.Gauge(
            "postern.relay.backlog.count",
            () => _measured.Count,
            "{request}",
            "Stored requests that no plane has answered"
        ),
        Meters.Gauge("postern.relay.backlog.bytes", () => _measured.Bytes, "By", "Bytes of them"),
        Meters.Gauge(
            "postern.relay.backlog.oldest",
            () => _measured.OldestSeconds,
            "s",
            "How old the oldest of them is"
        ),
    ];

    /// <summary>Whether somebody reads the metrics of waiting requests. The database is asked only then.</summary>
    public static bool IsRead => Array.Exists(Backlog, instrument => instrument.Enabled);

    public static void Measured(RelayMeasure measured) => _measured = measured;

    public static void Stored() => Envelopes.Add(1);

    public static void Waited(TimeSpan took, bool isAnswered) =>
        WaitSeconds.Record(took.TotalSeconds, Meters.Tag("answered", isAnswered));

    public static void Connected(string transport, int change) =>
        Connections.Add(change, Meters.Tag("transport", transport));
}
