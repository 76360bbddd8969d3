using Postern.Agents;
using Postern.Deliveries;

namespace Postern.Pages;

/// <summary>One agent, and its present state.</summary>
internal sealed record AgentModel
{
    /// <summary>Null on the page that registers a new one.</summary>
    public required Agent? Agent { get; init; }

    /// <summary>The turns of sessions that it works on, and the runs without a session.</summary>
    public long Turns { get; init; }

    public long Jobs { get; init; }

    /// <summary>When one of its workers last asked for work; null: never.</summary>
    public long? Asked { get; init; }

    /// <summary>The last call of the agent, with its answer; null when there is none.</summary>
    public (Delivery Delivery, Attempt? Answer)? Last { get; init; }

    /// <summary>Until when this node does not call it; null: this node calls it.</summary>
    public long? PausedUntil { get; init; }
}
