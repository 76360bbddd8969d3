namespace Postern.Runs;

internal static partial class RunLog
{
    [LoggerMessage(
        EventId = 301,
        Level = LogLevel.Error,
        Message = "A turn of {Run} failed here; its lease runs out and it is taken up again"
    )]
    public static partial void TurnFailed(ILogger log, string run, Exception fault);

    [LoggerMessage(EventId = 304, Level = LogLevel.Information, Message = "{Run} ended as {Status}: {Reason}")]
    public static partial void RunEnded(ILogger log, string run, string status, string reason);
}
