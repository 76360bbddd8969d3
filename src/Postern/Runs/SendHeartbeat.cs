using Postern.Http;

namespace Postern.Runs;

[Strict]
internal sealed record SendHeartbeat(
    [Whole("The attempt; a run's own token says it already.", 1, int.MaxValue, HasManySpellings = true)] long? Attempt
);
