using Postern.Http;

namespace Postern.Agents;

[Strict]
internal sealed record AgentDeadlines(
    [Whole("Seconds that a run may wait for its start.", 1, 604_800)] long? QueuedSeconds,
    [Whole("Seconds that a turn may last.", 1, 86_400)] long? TurnSeconds,
    [Whole("Seconds that an attempt may last.", 1, 2_592_000)] long? TotalSeconds
);
