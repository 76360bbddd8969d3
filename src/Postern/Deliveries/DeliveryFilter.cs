namespace Postern.Deliveries;

/// <summary>The conditions of a list of deliveries, or of a replay. A null is no condition.</summary>
internal sealed record DeliveryFilter(
    string? Status = null,
    string? Endpoint = null,
    string? Purpose = null,
    string? Subject = null,
    long? Since = null,
    long? Until = null
)
{
    /// <summary>A condition on the table that applies to all of them.</summary>
    public string? Shown { get; init; }

    /// <summary>Only these; an empty list is no condition.</summary>
    public IReadOnlyList<string> Ids { get; init; } = [];

    /// <summary>The answer to its last attempt: see <see cref="DeadSum.Answer"/>.</summary>
    public string? Answer { get; init; }

    /// <summary>A text in the reason why it was not delivered, in its type or in its subject.</summary>
    public string? Text { get; init; }

    /// <summary>Excludes those that were replayed at this time or later.</summary>
    public long? NotReplayedSince { get; init; }
}
