using Postern.Relay.Plane;

namespace Postern.Pages;

/// <summary>What the page of relays shows.</summary>
internal sealed record RelayModel(IReadOnlyList<PlaneState> Relays);
