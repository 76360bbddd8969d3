using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// The code for one kind of delivery: it makes the request and handles the end. The handling runs in the transaction
/// that records the end, so the end and its consequences are stored together.
/// </summary>
internal abstract class DeliveryPurpose
{
    public abstract string Name { get; }

    /// <summary>
    /// Prepares the request. Returns null when there is nothing left to send: the delivery then ends as dead, with the
    /// text of <c>Why</c>.
    /// </summary>
    public abstract ValueTask<(PreparedDelivery? Request, string? Why)> PrepareAsync(Delivery delivery);

    /// <summary>
    /// Locks the rows that <see cref="AttemptedAsync"/> and <see cref="EndedAsync"/> change, before the delivery's own
    /// row. That is the order of the code that creates deliveries.
    /// </summary>
    public virtual ValueTask LockAsync(Tx tx, Delivery delivery) => default;

    /// <summary>Handles a failed attempt that will be tried again.</summary>
    public virtual ValueTask AttemptedAsync(Tx tx, Delivery delivery, Attempt attempt) => default;

    /// <summary>Handles its end.</summary>
    /// <param name="tx">The transaction that records it.</param>
    /// <param name="delivery">As it was before.</param>
    /// <param name="attempt">The last one; null when time or a person ended it.</param>
    /// <param name="reason">Why it is dead, for a person; null when it was delivered.</param>
    public virtual ValueTask EndedAsync(Tx tx, Delivery delivery, Attempt? attempt, string? reason) => default;

    /// <summary>The receiver wants no more: stops everything else that is meant for it.</summary>
    public virtual ValueTask DisableAsync(Tx tx, Delivery delivery, string reason) => default;

    /// <summary>Returns why an ended delivery cannot be sent again, or null when it can.</summary>
    public virtual ValueTask<string?> WhyNotAgainAsync(Tx tx, Delivery delivery) => new((string?)null);
}
