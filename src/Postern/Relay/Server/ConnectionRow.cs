namespace Postern.Relay.Server;

/// <summary>A connection of a plane.</summary>
/// <param name="Node">Of the plane's processes.</param>
/// <param name="Transport"><c>websocket</c> or <c>poll</c>.</param>
/// <param name="Since">Microseconds since 1970.</param>
internal sealed record ConnectionRow(
    string Plane,
    string Connection,
    string Node,
    string Address,
    string Transport,
    long Since
)
{
    public const string WebSocket = "websocket";
    public const string Poll = "poll";
}
