using Postern.Runs;

namespace Postern.Approvals;

/// <summary>The outcome of a decision: exactly one of these.</summary>
internal abstract record DecideOutcome
{
    /// <summary>This decision won.</summary>
    internal sealed record Processed(Approval Approval, Run Run) : DecideOutcome;

    /// <summary>The same decision had been made.</summary>
    internal sealed record Already(Approval Approval, Run Run) : DecideOutcome;

    /// <summary>Another decision has won.</summary>
    internal sealed record Conflict(Approval Approval) : DecideOutcome;

    /// <summary>The person was shown something else than the question.</summary>
    internal sealed record OtherPayload : DecideOutcome;

    internal sealed record Expired : DecideOutcome;

    internal sealed record Cancelled : DecideOutcome;

    internal sealed record Unknown : DecideOutcome;
}
