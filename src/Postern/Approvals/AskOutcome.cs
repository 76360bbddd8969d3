namespace Postern.Approvals;

/// <summary>The outcome of asking: exactly one of these.</summary>
internal abstract record AskOutcome
{
    /// <param name="Approval">The open question; or, for a repeat, what has become of it.</param>
    internal sealed record Asked(Approval Approval) : AskOutcome;

    internal sealed record NoSuchRun : AskOutcome;

    internal sealed record OtherAgent : AskOutcome;

    internal sealed record Stale(long CurrentAttempt, long OwnAttempt) : AskOutcome;

    internal sealed record NotRunning(string Status) : AskOutcome;

    internal sealed record AnotherIsOpen(string Id) : AskOutcome;

    internal sealed record IdIsUsed : AskOutcome;

    internal sealed record Unfit(string Field, string Problem) : AskOutcome;
}
