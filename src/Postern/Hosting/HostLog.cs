namespace Postern.Hosting;

internal static partial class HostLog
{
    [LoggerMessage(
        EventId = 400,
        Level = LogLevel.Warning,
        Message = "POSTERN_ROOT_KEY differs from the root key of the project default and is ignored; use: postern "
            + "keys rotate"
    )]
    public static partial void RootKeyIgnored(ILogger log);

    [LoggerMessage(
        EventId = 401,
        Level = LogLevel.Information,
        Message = "postern {Version} serves {Urls} on {Database}"
    )]
    public static partial void Serving(ILogger log, string version, string urls, string database);

    [LoggerMessage(
        EventId = 402,
        Level = LogLevel.Information,
        Message = "Stopping: {Streams} streams are closed, writes under way finish"
    )]
    public static partial void Stopping(ILogger log, int streams);

    [LoggerMessage(
        EventId = 404,
        Level = LogLevel.Warning,
        Message = "The server listens on every address, and Postern:PublicUrl is not set: links and callback URLs "
            + "name {Url}, "
            + "which only this machine reaches. Set POSTERN_PublicUrl to the address that others use"
    )]
    public static partial void NamesItselfAlone(ILogger log, string url);

    [LoggerMessage(
        EventId = 405,
        Level = LogLevel.Warning,
        Message = "Connections are closed for want of places: {Open} of {Most} are open, {Held} of them from {Address}"
    )]
    public static partial void ConnectionsClosed(ILogger log, long open, int most, long held, string address);

    [LoggerMessage(
        EventId = 403,
        Level = LogLevel.Warning,
        Message = "Development mode: outbound requests may go to loopback"
    )]
    public static partial void Development(ILogger log);
}
