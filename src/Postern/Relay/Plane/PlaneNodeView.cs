using Postern.Http;

namespace Postern.Relay.Plane;

internal sealed record PlaneNodeView(
    [Member("A process of this server, as relays know it.")] string Node,
    [Member("The machine that it runs on.")] string Host,
    [Member("Whether it is the one that answers this request.")] bool This,
    [At("When it said so; one that has not for 30 s may be gone.")] string SeenAt,
    [Member("How it stands to the relay.")] PlaneConnectionView Connection
)
{
    public static PlaneNodeView Of(PlaneNode node) =>
        new(node.Node, node.Host, node.IsThis, Wire.Iso(node.SeenAt), PlaneConnectionView.Of(node.Standing));
}
