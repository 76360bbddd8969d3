namespace Postern.Relay.Plane;

/// <summary>The last known state of one node of this server at a relay.</summary>
/// <param name="Node">Random for each process.</param>
/// <param name="Host">The machine on which it runs.</param>
/// <param name="IsThis">Whether it is the node that answers now.</param>
/// <param name="IsThere">Whether it has reported lately.</param>
/// <param name="SeenAt">When it last reported, in microseconds.</param>
internal sealed record PlaneNode(
    string Node,
    string Host,
    bool IsThis,
    bool IsThere,
    long SeenAt,
    NodeStanding Standing
)
{
    /// <summary>Whether it is connected, as far as is known.</summary>
    public bool IsConnected => IsThere && Standing.Transport is not null;

    /// <summary>Whether the relay gives it requests.</summary>
    public bool Holds => IsConnected && Standing.Holds;
}
