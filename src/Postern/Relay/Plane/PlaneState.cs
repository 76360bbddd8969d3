using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>A joined relay, and the state of each node there.</summary>
/// <param name="Nodes">All nodes, this one first.</param>
internal sealed record PlaneState(JoinedPlane Plane, IReadOnlyList<PlaneNode> Nodes)
{
    public PlaneNode This => Nodes[0];

    /// <summary>
    /// The state of the node to which the relay gives requests: every 10 s the relay tells it how much is stored.
    /// </summary>
    private NodeStanding Told => (Nodes.FirstOrDefault(n => n.Holds) ?? This).Standing;

    public BacklogSize? Backlog => Told.Backlog;

    public BacklogQuota? Quota => Told.Quota;
}
