namespace Postern.Relay.Protocol;

/// <summary>Why a connection between a relay and a plane was closed: codes of the WebSocket.</summary>
internal static class CloseCode
{
    /// <summary>A frame that is none, or that another key signed.</summary>
    public const int Protocol = 4400;
    public const int Revoked = 4403;
    public const int Silent = 4408;

    /// <summary>The same node has connected anew: the new connection wins.</summary>
    public const int Superseded = 4409;
    public const int TooLarge = 4413;

    /// <summary>More than 16 connections of one plane.</summary>
    public const int TooMany = 4429;
}
