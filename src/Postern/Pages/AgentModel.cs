using Postern.Agents;
using Postern.Deliveries;

namespace Postern.Pages;

/// <summary>One agent, and how it fares.</summary>
internal sealed record AgentModel
{
    /// <summary>Null: one is registered.</summary>
    public required Agent? Agent { get; init; }

    /// <summary>Turns of sessions that it has, and runs without a session.</summary>
    public long Turns { get; init; }

    public long Jobs { get; init; }

    /// <summary>When a worker asked for its work last; null: never.</summary>
    public long? Asked { get; init; }

    /// <summary>The call of it that ended last, with what it answered; null where none has.</summary>
    public (Delivery Delivery, Attempt? Answer)? Last { get; init; }

    /// <summary>Until when this node does not call it; null: it does.</summary>
    public long? PausedUntil { get; init; }
}
