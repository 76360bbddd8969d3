using Postern.Approvals;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.Http;
using Postern.Runs;

namespace Postern.Pages;

/// <summary>One run, with everything that its page shows.</summary>
internal sealed record RunModel : IPictured
{
    public required Run Run { get; init; }

    public required IReadOnlyDictionary<string, byte[]> Data { get; init; }

    public required IReadOnlyList<RunAttempt> Attempts { get; init; }

    /// <summary>
    /// Its events, oldest first; of very many the first and the last, with <see cref="EventsBetween"/> left out.
    /// </summary>
    public required IReadOnlyList<RunEvent> Events { get; init; }

    /// <summary>Events between the first and the last ones that are not drawn; at most so many are counted.</summary>
    public required long EventsBetween { get; init; }

    /// <summary>The deliveries about it, oldest first, each with its attempts.</summary>
    public required IReadOnlyList<(
        Delivery Delivery,
        List<(long Number, Attempt Attempt)> Attempts
    )> Deliveries { get; init; }

    /// <summary>What it has asked of people, oldest first.</summary>
    public required IReadOnlyList<Approval> Questions { get; init; }

    /// <summary>Why it has not ended; null when it has ended.</summary>
    public required Why? Why { get; init; }

    /// <summary>A page of its events as they were recorded.</summary>
    public IReadOnlyList<RunEvent> Listed { get; init; } = [];

    /// <summary>Where the events go on behind <see cref="Listed"/>; null at the end.</summary>
    public long? ListedNext { get; init; }

    /// <summary>The listed events are a page that was asked for.</summary>
    public bool IsListAsked { get; init; }

    /// <summary>It is for an administrator, who may open keys.</summary>
    public bool IsForAdmin { get; init; }

    /// <summary>Who asked for it.</summary>
    public Actor? Starter => Events is [{ Seq: 1 } first, ..] ? first.By : null;

    public bool IsNotStarted =>
        !Run.IsEnded && !Run.Dispatched && Run is { DueAt: null, WaitsAt: null, ClaimAt: null, Approval: null };

    /// <summary>The call of its agent that waits for its next try; null when none does, or it is not shown.</summary>
    public Delivery? DispatchToRetry =>
        Why is { Code: Http.Why.DispatchRetry or Http.Why.DispatchPaused }
            ? Deliveries
                .Select(d => d.Delivery)
                .LastOrDefault(d => d is { Purpose: AgentDispatch.PurposeName, Status: Delivery.Pending })
            : null;

    public bool MayBeRetried => Run.Session is null && Run.Phase is Phase.Failed or Phase.TimedOut;

    long IPictured.Revision => Run.EventSeq;

    string? IPictured.WhyOver => Run.IsEnded ? "run_ended" : null;
}
