namespace Postern.Sessions;

/// <summary>The outcome of an append: exactly one of these.</summary>
internal abstract record AppendOutcome
{
    /// <param name="Start">The number of the first record.</param>
    /// <param name="End">One past the number of the last.</param>
    /// <param name="RunEnsured">Whether a live run will see it; asked on <c>in</c> alone.</param>
    /// <param name="StopAsked">Somebody has asked the open turn to stop.</param>
    internal sealed record Appended(long Start, long End, bool RunEnsured, bool StopAsked) : AppendOutcome;

    internal sealed record PartMismatch(string PartId) : AppendOutcome;

    internal sealed record Closed(string? Reason) : AppendOutcome;

    internal sealed record Expired : AppendOutcome;

    /// <summary>The run of the token no longer has the session: it has ended, or a later attempt took over.</summary>
    internal sealed record NotTheRun : AppendOutcome;

    /// <summary>Its run waits for a person, so the turn cannot end before the answer.</summary>
    internal sealed record AwaitsApproval : AppendOutcome;

    /// <summary>The session has reached its limit of bytes.</summary>
    internal sealed record QuotaReached : AppendOutcome;

    /// <summary>The session was deleted meanwhile.</summary>
    internal sealed record Gone : AppendOutcome;
}
