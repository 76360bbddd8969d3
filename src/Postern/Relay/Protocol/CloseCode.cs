namespace Postern.Relay.Protocol;

/// <summary>Codes of the WebSocket that say why a connection between a relay and a plane was closed.</summary>
internal static class CloseCode
{
    /// <summary>A frame is malformed, or was signed by another key.</summary>
    public const int Protocol = 4400;
    public const int Revoked = 4403;
    public const int Silent = 4408;

    /// <summary>The same node has connected again; the new connection stays.</summary>
    public const int Superseded = 4409;
    public const int TooLarge = 4413;

    /// <summary>The plane has more than 16 connections.</summary>
    public const int TooMany = 4429;
}
