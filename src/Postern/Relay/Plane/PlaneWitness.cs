namespace Postern.Relay.Plane;

/// <summary>The parts that need news of the connections.</summary>
/// <param name="Memory">How far back messages are remembered.</param>
/// <param name="Nodes">Shows the state of this node to the others.</param>
internal sealed record PlaneWitness(PlaneMemory Memory, PlaneNodes Nodes);
