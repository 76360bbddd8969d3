using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>The result of asking a relay once.</summary>
/// <param name="Fault">Where it fails and what to do; null when the relay takes this server.</param>
/// <param name="There">How this server stands there; null when the relay does not say.</param>
/// <param name="TakesWebSockets">Whether a WebSocket gets through to it.</param>
internal sealed record PlaneProbed(RelayRefusedException? Fault, PlaneAtRelay? There, bool TakesWebSockets);
