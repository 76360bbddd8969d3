namespace Postern.Relay.Plane;

/// <summary>A joined relay, and the state of this node there.</summary>
/// <param name="ClockOff">Microseconds that the relay's clock is ahead.</param>
internal sealed record PlaneState(JoinedPlane Plane, PlaneStanding Standing, long ClockOff);
