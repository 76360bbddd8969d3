using Postern.Relay.Plane;

namespace Postern.Pages;

/// <summary>The content of the page of relays.</summary>
internal sealed record RelayModel(IReadOnlyList<PlaneState> Relays);
