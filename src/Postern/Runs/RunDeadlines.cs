namespace Postern.Runs;

/// <summary>The deadlines of a run.</summary>
internal static class RunDeadlines
{
    public const long Second = 1_000_000;

    /// <summary>
    /// Returns the earliest of a run's deadlines after a sign of life. While a person is asked, it is the question's.
    /// </summary>
    public static long DeadlineOf(Run run, long now) =>
        run.ApprovalUntil
        ?? Math.Min(
            run.TotalAt,
            Math.Min(
                run.StateUntil ?? long.MaxValue,
                run.Phase == Phase.Running && run.Session is null ? now + (run.SilentSeconds * Second) : long.MaxValue
            )
        );

    public static T WithDeadlines<T>(T run, Workflow workflow, long now, bool entered)
        where T : Run
    {
        if (run.IsEnded)
            return run with { StateUntil = null };
        long? until =
            !entered ? run.StateUntil
            : workflow.Deadlines.TryGetValue(run.Status, out var seconds) ? now + (seconds * Second)
            : run.Phase == Phase.Queued ? now + (run.QueuedSeconds * Second)
            : null;
        var timed = run with { StateUntil = until };
        return timed with { DeadlineAt = DeadlineOf(timed, now) };
    }
}
