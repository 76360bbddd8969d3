namespace Postern.Relay.Plane;

/// <summary>What the keeper of connections tells of them.</summary>
/// <param name="Memory">How far back messages are remembered.</param>
/// <param name="Nodes">How this node stands, for the others.</param>
internal sealed record PlaneWitness(PlaneMemory Memory, PlaneNodes Nodes);
