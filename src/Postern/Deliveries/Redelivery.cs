using Postern.Http;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>Sends a delivery again, under the same id, if its subject still needs it.</summary>
internal sealed class Redelivery(IEnumerable<DeliveryPurpose> purposes)
{
    private readonly Dictionary<string, DeliveryPurpose> _purposes = purposes.ToDictionary(
        p => p.Name,
        StringComparer.Ordinal
    );

    public static Refusal Unknown { get; } = new(404, "There is no such delivery.", "not_found");

    /// <summary>The names of the purposes that this server knows.</summary>
    public IEnumerable<string> Purposes => _purposes.Keys;

    /// <summary>
    /// Sends one again; at once, when it waits for its next try. Returns why that is refused, or null when it is
    /// pending or has arrived.
    /// </summary>
    public async ValueTask<Refusal?> RetryAsync(Tx tx, string project, string id)
    {
        if (await DeliveryStore.FindAsync(tx, project, id) is not { } delivery)
            return Unknown;
        // It has arrived. Sending it again must have no further effect, so nothing is sent.
        if (delivery.Status == Delivery.Delivered)
            return null;
        // One that waits for its next try is made due.
        if (delivery.Status == Delivery.Pending)
        {
            await DeliveryEnd.HurryAsync(tx, delivery);
            return null;
        }
        return await RequeueAsync(tx, delivery) is { } why ? new Refusal(409, why, "not_retryable") : null;
    }

    /// <summary>Returns why it is not sent again, or null when it is pending.</summary>
    public async ValueTask<string?> RequeueAsync(Tx tx, Delivery delivery)
    {
        if (delivery.Status == Delivery.Pending)
            return null;
        if (!_purposes.TryGetValue(delivery.Purpose, out var purpose))
            return "This server does not know its purpose.";
        if (await purpose.WhyNotAgainAsync(tx, delivery) is { } why)
            return why;
        await DeliveryEnd.RequeueAsync(tx, delivery, tx.Now + Outbox.GiveUpAfter);
        return null;
    }
}
