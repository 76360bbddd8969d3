using Postern.Http;

namespace Postern.Relay.Plane;

internal sealed record PlaneConnectionView(
    [Member("websocket or poll; absent while it is away.")] string? Transport,
    [Member("Whether this node is given requests.")] bool Holds,
    [At("Since when it is as it is; absent before the first try.")] string? Since,
    [Member("Where it failed: name, connect, tls, upgrade, 401, or the relay's code.")] string? FailedAt,
    [Member("Why, and what to do.")] string? Reason,
    [Member("What was stored there when the relay last said it.")] PlaneBacklogView? Backlog,
    [Member("Milliseconds that the relay's clock is ahead.")] long ClockMilliseconds,
    [Member("Requests that were answered since the start.")] long Answered,
    [Member("Connections that were made since the start.")] long Connects
)
{
    public static PlaneConnectionView Of(NodeStanding node) =>
        new(
            node.Transport,
            node.Holds,
            node.Since > 0 ? Wire.Iso(node.Since) : null,
            node.FailedAt,
            node.Why,
            PlaneBacklogView.Of(node.Backlog, node.Quota),
            node.ClockOff / 1000,
            node.Answered,
            node.Connects
        );
}
