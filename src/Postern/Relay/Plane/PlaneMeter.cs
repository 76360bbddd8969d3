using System.Diagnostics.Metrics;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>Metrics about relays.</summary>
internal static class PlaneMeter
{
    private static readonly Counter<long> Frames = Meters.Counter(
        "postern.relay.frames",
        "{frame}",
        "Frames that were sent to relays, or came from them"
    );
    private static readonly Counter<long> Connects = Meters.Counter(
        "postern.relay.reconnects",
        "{connection}",
        "Connections to relays that were made"
    );
    private static readonly Histogram<double> AnswerSeconds = Meters.Seconds(
        "postern.relay.answer.duration",
        "From the arrival of an envelope at the relay to its answer here"
    );

    public static void Frame(string direction) => Frames.Add(1, Meters.Tag("direction", direction));

    public static void Connected(string transport) => Connects.Add(1, Meters.Tag("transport", transport));

    public static void Refused() => RefusalMeter.Frame();

    public static void Answered(TimeSpan after) => AnswerSeconds.Record(after.TotalSeconds);
}
