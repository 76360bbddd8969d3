namespace Postern.Storage;

internal static partial class StorageLog
{
    [LoggerMessage(
        EventId = 610,
        Level = LogLevel.Error,
        Message = "A listener to {Topic} failed; the commit and the others are not touched by it"
    )]
    public static partial void ListenerFailed(ILogger log, string topic, Exception fault);

    [LoggerMessage(
        EventId = 611,
        Level = LogLevel.Error,
        Message = "The writer failed with a batch of {Commands} commands and goes on"
    )]
    public static partial void WriterFailed(ILogger log, int commands, Exception fault);

    [LoggerMessage(
        EventId = 613,
        Level = LogLevel.Warning,
        Message = "What was done outside of a transaction could not be let go of; it is swept away later"
    )]
    public static partial void NotLetGo(ILogger log, Exception fault);

    [LoggerMessage(
        EventId = 612,
        Level = LogLevel.Warning,
        Message = "{Loop} failed once and goes on: other nodes are heard by looking meanwhile"
    )]
    public static partial void RelayFailed(ILogger log, string loop, Exception fault);
}
