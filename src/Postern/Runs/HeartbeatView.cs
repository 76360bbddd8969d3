using Postern.Http;

namespace Postern.Runs;

internal sealed record HeartbeatView(
    [Member("The run's id.")] string RunId,
    [Member("The attempt that the run is at.")] long Attempt,
    [Member("The state of its workflow.")] string Status,
    [Member("What the state means.")] string Phase,
    [At("Until when the run is the worker's; null without a claim.")] string? LeaseUntil,
    [At("When the attempt is ended.")] string DeadlineAt
);
