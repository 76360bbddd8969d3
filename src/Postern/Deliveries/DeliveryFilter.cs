namespace Postern.Deliveries;

/// <summary>The conditions of a list of deliveries, or of a replay. Null is no condition.</summary>
internal sealed record DeliveryFilter(
    string? Status = null,
    string? Endpoint = null,
    string? Purpose = null,
    string? Subject = null,
    long? Since = null,
    long? Until = null
)
{
    /// <summary>A condition on the table that all of them fulfil.</summary>
    public string? Shown { get; init; }

    /// <summary>What its last attempt was answered: see <see cref="DeadSum.Answer"/>.</summary>
    public string? Answer { get; init; }

    /// <summary>Stands in why it was not delivered, in its type or in what it is about.</summary>
    public string? Text { get; init; }

    /// <summary>Without those that were sent again at this time or later.</summary>
    public long? NotReplayedSince { get; init; }
}
