namespace Postern.Relay.Plane;

/// <summary>A relay that was joined, and how this node stands to it.</summary>
/// <param name="ClockOff">Microseconds that the relay's clock is ahead.</param>
internal sealed record PlaneState(JoinedPlane Plane, PlaneStanding Standing, long ClockOff);
