namespace Postern.Agents;

/// <summary>The settings of an agent. Times are seconds; null means the server's default.</summary>
/// <param name="Concurrency">Turns at once, at most; null: no limit of its own.</param>
/// <param name="IdleSeconds">How long a run stays for the next message.</param>
/// <param name="QueuedSeconds">How long a run may wait to be taken on.</param>
/// <param name="TurnSeconds">How long a turn may last without a record from the agent.</param>
/// <param name="TotalSeconds">How long a run may last in all.</param>
/// <param name="MaxTries">How often a dispatch that cannot be delivered is tried.</param>
/// <param name="Links">It is trusted with the links of its own questions, which decide them.</param>
internal sealed record AgentSettings(
    long? Concurrency = null,
    long? IdleSeconds = null,
    long? QueuedSeconds = null,
    long? TurnSeconds = null,
    long? TotalSeconds = null,
    long? MaxTries = null,
    bool? Links = null
);
