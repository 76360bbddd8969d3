using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>The state of one node at a relay, at one moment (<see cref="PlaneStanding"/>).</summary>
/// <param name="Since">Microseconds since 1970; 0 before the first try.</param>
/// <param name="ClockOff">How many microseconds the relay's clock is ahead.</param>
internal sealed record NodeStanding(
    string? Transport,
    bool Holds,
    long Since,
    string? FailedAt,
    string? Why,
    BacklogSize? Backlog,
    BacklogQuota? Quota,
    long ClockOff
)
{
    /// <summary>The number of requests answered since the start.</summary>
    public long Answered { get; init; }

    /// <summary>The number of connections since the start.</summary>
    public long Connects { get; init; }

    /// <summary>Returns whether two states are equal, apart from the counters, the quota and the clock.</summary>
    public bool IsAs(NodeStanding other) =>
        (Transport, Holds, FailedAt, Why) == (other.Transport, other.Holds, other.FailedAt, other.Why);
}
