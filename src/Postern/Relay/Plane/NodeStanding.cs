using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>How one node stands to a relay at one moment (<see cref="PlaneStanding"/>).</summary>
/// <param name="Since">Microseconds since 1970; 0 before the first try.</param>
/// <param name="ClockOff">Microseconds that the relay's clock is ahead.</param>
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
    /// <summary>Envelopes that were answered since the start.</summary>
    public long Answered { get; init; }

    /// <summary>Connections that were made since the start.</summary>
    public long Connects { get; init; }

    /// <summary>Whether the same could be said of the node without a word about what it has done since.</summary>
    public bool IsAs(NodeStanding other) =>
        (Transport, Holds, FailedAt, Why) == (other.Transport, other.Holds, other.FailedAt, other.Why);
}
