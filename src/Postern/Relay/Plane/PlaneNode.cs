namespace Postern.Relay.Plane;

/// <summary>How one node of this server stands to a relay, as the node said last.</summary>
/// <param name="Node">Random a process.</param>
/// <param name="Host">The machine that it runs on.</param>
/// <param name="IsThis">Whether it is the one that answers now.</param>
/// <param name="IsThere">Whether it has said so lately.</param>
/// <param name="SeenAt">When it said so, in microseconds.</param>
internal sealed record PlaneNode(
    string Node,
    string Host,
    bool IsThis,
    bool IsThere,
    long SeenAt,
    NodeStanding Standing
)
{
    /// <summary>Whether it is connected, as far as anybody knows.</summary>
    public bool IsConnected => IsThere && Standing.Transport is not null;

    /// <summary>Whether it is given requests.</summary>
    public bool Holds => IsConnected && Standing.Holds;
}
