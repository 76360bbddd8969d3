namespace Postern.Access;

/// <summary>The reasons that a stream ends with.</summary>
internal static class StreamEnd
{
    public const string Revoked = "revoked";
    public const string Expired = "expired";
    public const string Forbidden = "forbidden";
    public const string SessionClosed = "session_closed";
    public const string SessionDeleted = "session_deleted";
    public const string Shutdown = "shutdown";
}
