namespace Postern.Access;

internal static partial class AccessLog
{
    [LoggerMessage(
        EventId = 108,
        Level = LogLevel.Warning,
        Message = "The clock that this node follows has moved away from it by {Seconds:0.0} s: somebody has set it. "
            + "Deadlines and "
            + "leases go on by the time that has passed, and the difference is caught up slowly. Set the clock "
            + "right (timedatectl), "
            + "or restart the server to take it as it is"
    )]
    public static partial void ClockIsOff(ILogger log, double seconds);

    [LoggerMessage(EventId = 100, Level = LogLevel.Warning, Message = "Cannot read changed keys now: {Reason}")]
    public static partial void WatchWaits(ILogger log, string reason);

    [LoggerMessage(EventId = 104, Level = LogLevel.Error, Message = "Reading changed keys failed; it is tried again")]
    public static partial void WatchFailed(ILogger log, Exception fault);

    [LoggerMessage(
        EventId = 106,
        Level = LogLevel.Warning,
        Message = "The run {Run} could not be read, but requests use its token; it is tried again each second"
    )]
    public static partial void RunUnread(ILogger log, string run, Exception fault);

    [LoggerMessage(EventId = 105, Level = LogLevel.Critical, Message = "This node ends: {Reason}")]
    public static partial void SchemaTooNew(ILogger log, string reason);

    [LoggerMessage(
        EventId = 101,
        Level = LogLevel.Warning,
        Message = "Audit rows of refusals could not be written, and wait: {Reason}"
    )]
    public static partial void AuditWaits(ILogger log, string reason);

    [LoggerMessage(EventId = 107, Level = LogLevel.Error, Message = "The audit row {Id} cannot be written and is lost")]
    public static partial void AuditLost(ILogger log, string id, Exception fault);

    [LoggerMessage(EventId = 102, Level = LogLevel.Error, Message = "{Method} {Route} failed")]
    public static partial void RouteFailed(ILogger log, string method, string route, Exception fault);

    [LoggerMessage(EventId = 103, Level = LogLevel.Warning, Message = "{Method} {Route} answered 503: {Reason}")]
    public static partial void RouteUnavailable(ILogger log, string method, string route, string reason);
}
