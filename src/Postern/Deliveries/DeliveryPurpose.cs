using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// What a kind of delivery needs beside its row: how its request is made, and what follows from its end. The follow-up
/// runs in the transaction that records the end, so nothing depends on a delivery without hearing of it.
/// </summary>
internal abstract class DeliveryPurpose
{
    public abstract string Name { get; }

    /// <summary>
    /// Prepares the request. Returns null when there is nothing to send any more: the delivery then ends as dead, with
    /// the words of <c>Why</c>.
    /// </summary>
    public abstract ValueTask<(PreparedDelivery? Request, string? Why)> PrepareAsync(Delivery delivery);

    /// <summary>
    /// Locks what <see cref="AttemptedAsync"/> and <see cref="EndedAsync"/> change, before the delivery's own row: the
    /// order of those who make deliveries.
    /// </summary>
    public virtual ValueTask LockAsync(Tx tx, Delivery delivery) => default;

    /// <summary>It failed and will be tried again.</summary>
    public virtual ValueTask AttemptedAsync(Tx tx, Delivery delivery, Attempt attempt) => default;

    /// <summary>It ended.</summary>
    /// <param name="tx">The transaction that records it.</param>
    /// <param name="delivery">As it was before.</param>
    /// <param name="attempt">The last one; null when time or a person ended it.</param>
    /// <param name="reason">Why it is dead, for a person; null when it was delivered.</param>
    public virtual ValueTask EndedAsync(Tx tx, Delivery delivery, Attempt? attempt, string? reason) => default;

    /// <summary>The receiver wants no more: whatever else is meant for it is to stop too.</summary>
    public virtual ValueTask DisableAsync(Tx tx, Delivery delivery, string reason) => default;

    /// <summary>Returns why an ended delivery cannot be sent again; null when it can.</summary>
    public virtual ValueTask<string?> WhyNotAgainAsync(Tx tx, Delivery delivery) => new((string?)null);
}
