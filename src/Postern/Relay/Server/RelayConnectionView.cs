using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>A connection of a plane.</summary>
internal sealed record RelayConnectionView(
    [Member("Its id.")] string Id,
    [Member("From where.")] string Address,
    [Member("`websocket` or `poll`.")] string Transport,
    [At("Since when.")] string Since
);
