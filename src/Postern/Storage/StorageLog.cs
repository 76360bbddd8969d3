namespace Postern.Storage;

internal static partial class StorageLog
{
    [LoggerMessage(
        EventId = 610,
        Level = LogLevel.Error,
        Message = "A listener to {Topic} failed; the commit and the other listeners are not affected"
    )]
    public static partial void ListenerFailed(ILogger log, string topic, Exception fault);

    [LoggerMessage(
        EventId = 611,
        Level = LogLevel.Error,
        Message = "The writer failed with a batch of {Commands} commands and continues"
    )]
    public static partial void WriterFailed(ILogger log, int commands, Exception fault);

    [LoggerMessage(
        EventId = 613,
        Level = LogLevel.Warning,
        Message = "Rows written outside of a transaction could not be removed; a sweep removes them later"
    )]
    public static partial void NotLetGo(ILogger log, Exception fault);

    [LoggerMessage(
        EventId = 612,
        Level = LogLevel.Warning,
        Message = "{Loop} failed once and continues; meanwhile this node polls for the changes of others"
    )]
    public static partial void RelayFailed(ILogger log, string loop, Exception fault);
}
