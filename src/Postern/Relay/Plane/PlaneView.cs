using Postern.Http;

namespace Postern.Relay.Plane;

internal sealed record PlaneView(
    [Member("The relay's id.")] string Relay,
    [Member("This server's id there.")] string Plane,
    [Member("The relay's address.")] string Server,
    [Member("Where this server's doors are.")] string Url,
    [Word("Whether the relay takes this server.", JoinedPlane.Joined, JoinedPlane.Revoked)] string Standing,
    [Member("The fingerprint of the relay's key that was pinned.")] string RelayKey,
    [At("When it was joined.")] string JoinedAt,
    [Member("How long the relay keeps a request, in seconds.")] long HeldSeconds,
    [Member("How this node stands to it.")] PlaneConnectionView Connection
)
{
    [Member("How each node stands to it, this one first.")]
    public required IReadOnlyList<PlaneNodeView> Nodes { get; init; }
}
