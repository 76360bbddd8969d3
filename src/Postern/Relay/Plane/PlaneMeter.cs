using System.Diagnostics.Metrics;

namespace Postern.Relay.Plane;

/// <summary>What a plane reports of its relays.</summary>
internal static class PlaneMeter
{
    private static readonly Meter Meter = new("Postern");
    private static readonly Counter<long> Frames = Meter.CreateCounter<long>(
        "postern.relay.frames",
        "{frame}",
        "Frames that were sent to relays, or came from them"
    );
    private static readonly Counter<long> Connects = Meter.CreateCounter<long>(
        "postern.relay.reconnects",
        "{connection}",
        "Connections to relays that were made"
    );
    private static readonly Counter<long> Refusals = Meter.CreateCounter<long>(
        "postern.relay.refused",
        "{frame}",
        "Frames of relays that were refused"
    );
    private static readonly Histogram<double> AnswerSeconds = Meter.CreateHistogram<double>(
        "postern.relay.answer.duration",
        "s",
        "From the arrival of an envelope at the relay to its answer here"
    );

    public static void Frame(string direction) =>
        Frames.Add(1, new KeyValuePair<string, object?>("direction", direction));

    public static void Connected(string transport) =>
        Connects.Add(1, new KeyValuePair<string, object?>("transport", transport));

    public static void Refused() => Refusals.Add(1);

    public static void Answered(TimeSpan after) => AnswerSeconds.Record(after.TotalSeconds);
}
