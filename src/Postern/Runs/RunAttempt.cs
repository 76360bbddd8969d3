using Postern.Http;

namespace Postern.Runs;

/// <summary>How an earlier attempt ended.</summary>
internal sealed record RunAttempt(
    [Member("The number of the attempt, from 1.")] long Attempt,
    [Member("The state that it ended in.")] string Status,
    [Member("What the state means.")] string Phase,
    [Member("Why it ended, for people.")] string? Reason,
    [Member("Why it failed.")] Failure? Failure,
    [At("When it began.")] string BeganAt,
    [At("When it ended.")] string EndedAt
);
