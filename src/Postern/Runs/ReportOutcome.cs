namespace Postern.Runs;

/// <summary>The outcome of a report: exactly one of these.</summary>
internal abstract record ReportOutcome
{
    internal sealed record Applied(Run Run) : ReportOutcome;

    /// <summary>The same report was accepted before, so nothing changed.</summary>
    internal sealed record Replayed(Run Run) : ReportOutcome;

    internal sealed record NoSuchRun : ReportOutcome;

    internal sealed record Invalid(string Field, string Problem) : ReportOutcome;

    internal sealed record Mismatch(string EventId) : ReportOutcome;

    internal sealed record Stale(long CurrentAttempt, long ReportedAttempt) : ReportOutcome;

    internal sealed record OutOfOrder(long Latest, string Current, string Attempted) : ReportOutcome;

    /// <param name="Asked">It waits for a person, so that only its end may be reported.</param>
    internal sealed record Illegal(
        string Current,
        string Attempted,
        IReadOnlyList<string> Allowed,
        bool Terminal,
        bool Asked = false
    ) : ReportOutcome;
}
