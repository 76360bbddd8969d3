namespace Postern.Storage;

internal static partial class PollLog
{
    [LoggerMessage(EventId = 600, Level = LogLevel.Warning, Message = "{Loop} waits for the database: {Reason}")]
    public static partial void Waits(ILogger log, string loop, string reason);

    [LoggerMessage(EventId = 601, Level = LogLevel.Error, Message = "{Loop} failed in one poll and continues")]
    public static partial void Failed(ILogger log, string loop, Exception fault);

    [LoggerMessage(
        EventId = 602,
        Level = LogLevel.Error,
        Message = "{Id} is overdue and could not be settled; it is tried again"
    )]
    public static partial void OneFailed(ILogger log, string id, Exception fault);
}
