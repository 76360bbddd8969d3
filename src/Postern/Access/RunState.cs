namespace Postern.Access;

/// <summary>The part of a run's state on which its workers' credentials depend. Times are microseconds.</summary>
/// <param name="Attempt">The attempt that has the run.</param>
/// <param name="AttemptAt">When that attempt began.</param>
/// <param name="EndedAt">When the run ended, or null.</param>
internal sealed record RunState(long Attempt, long AttemptAt, long? EndedAt);
