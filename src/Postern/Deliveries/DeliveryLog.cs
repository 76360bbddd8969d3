namespace Postern.Deliveries;

internal static partial class DeliveryLog
{
    [LoggerMessage(
        EventId = 500,
        Level = LogLevel.Warning,
        Message = "Deliveries cannot be claimed or recorded now: {Reason}"
    )]
    public static partial void Waits(ILogger log, string reason);

    [LoggerMessage(
        EventId = 501,
        Level = LogLevel.Error,
        Message = "{Delivery} failed here; its lease runs out and it is sent again"
    )]
    public static partial void Failed(ILogger log, string delivery, Exception fault);

    [LoggerMessage(
        EventId = 503,
        Level = LogLevel.Warning,
        Message = "{Delivery} ({Type}) did not arrive, attempt {Attempt}: {Outcome}"
    )]
    public static partial void NotArrived(ILogger log, string delivery, string type, long attempt, string outcome);
}
