using System.Net.Sockets;

namespace Postern.Support;

/// <summary>A request without an answer, because the server was killed, froze or closes.</summary>
internal static class Unanswered
{
    /// <summary>
    /// Returns whether a client may throw this when the server goes away at any moment. A socket that is reset while
    /// the client connects throws its own exception.
    /// </summary>
    public static bool Is(Exception fault) => fault is HttpRequestException or SocketException or IOException;
}
