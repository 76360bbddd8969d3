using Postern.Approvals;
using Postern.Deliveries;
using Postern.Http;
using Postern.Runs;

namespace Postern.Pages;

/// <summary>One run, with everything that its page shows.</summary>
internal sealed record RunModel : IPictured
{
    public required Run Run { get; init; }

    public required IReadOnlyDictionary<string, byte[]> Data { get; init; }

    public required IReadOnlyList<RunAttempt> Attempts { get; init; }

    public required IReadOnlyList<RunEvent> Events { get; init; }

    public required bool HasMoreEvents { get; init; }

    /// <summary>The deliveries about it, oldest first, each with its attempts.</summary>
    public required IReadOnlyList<(
        Delivery Delivery,
        List<(long Number, Attempt Attempt)> Attempts
    )> Deliveries { get; init; }

    /// <summary>Its newest question; null when it has asked none.</summary>
    public required Approval? Approval { get; init; }

    /// <summary>Why it has not ended; null when it has ended.</summary>
    public required Why? Why { get; init; }

    public bool IsNotStarted =>
        !Run.IsEnded && !Run.Dispatched && Run is { DueAt: null, WaitsAt: null, ClaimAt: null, Approval: null };

    public bool MayBeRetried => Run.Session is null && Run.Phase is Phase.Failed or Phase.TimedOut;

    long IPictured.Revision => Run.EventSeq;

    string? IPictured.WhyOver => Run.IsEnded ? "run_ended" : null;
}
