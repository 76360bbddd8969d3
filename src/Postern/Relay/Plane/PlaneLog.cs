namespace Postern.Relay.Plane;

/// <summary>Log lines about relays.</summary>
internal static partial class PlaneLog
{
    [LoggerMessage(
        EventId = 1101,
        Level = LogLevel.Error,
        Message = "The envelope {Id} could not be run; the relay hands it over again"
    )]
    public static partial void EnvelopeFailed(ILogger log, string id, Exception fault);

    [LoggerMessage(
        EventId = 1102,
        Level = LogLevel.Information,
        Message = "The envelope {Id} was answered {Status}: its lane waits {Pause}"
    )]
    public static partial void HoldsLane(ILogger log, string id, int status, TimeSpan pause);

    [LoggerMessage(
        EventId = 1103,
        Level = LogLevel.Information,
        Message = "Connected to the relay {Relay} by {Transport}"
    )]
    public static partial void Connected(ILogger log, string relay, string transport);

    [LoggerMessage(
        EventId = 1104,
        Level = LogLevel.Warning,
        Message = "The relay {Relay} is not reached: {Why}. Next try in {Pause}"
    )]
    public static partial void Away(ILogger log, string relay, string why, TimeSpan pause);

    [LoggerMessage(EventId = 1105, Level = LogLevel.Error, Message = "The relay {Relay} broke the protocol: {Why}")]
    public static partial void Distrusted(ILogger log, string relay, string why);

    [LoggerMessage(
        EventId = 1106,
        Level = LogLevel.Error,
        Message = "The question {Id} could not be sealed for its page; it is tried again"
    )]
    public static partial void PageFailed(ILogger log, string id, Exception fault);

    [LoggerMessage(
        EventId = 1107,
        Level = LogLevel.Error,
        Message = "Questions could not be sent to the relay {Relay}; it is tried again"
    )]
    public static partial void PagesFailed(ILogger log, string relay, Exception fault);

    [LoggerMessage(
        EventId = 1108,
        Level = LogLevel.Error,
        Message = "The connection to the relay {Relay} failed here. Next try in {Pause}"
    )]
    public static partial void LinkFailed(ILogger log, string relay, TimeSpan pause, Exception fault);
}
