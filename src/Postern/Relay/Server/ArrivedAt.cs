using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>The plane that a request is for, and where it came from.</summary>
/// <param name="Network">The sender's.</param>
/// <param name="IsKnown">Whether that network is known to the plane.</param>
internal sealed record ArrivedAt(RelayPlane Plane, DoorEntry Door, string Network, bool IsKnown);
