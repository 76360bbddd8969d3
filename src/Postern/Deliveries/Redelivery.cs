using Postern.Http;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>Sends a delivery again, under the same id, where what it is about still wants it.</summary>
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
    /// Sends one again, or at once where it waits for its next try. Returns why that is refused; null when it is
    /// pending, or has arrived.
    /// </summary>
    public async ValueTask<Refusal?> RetryAsync(Tx tx, string project, string id)
    {
        if (await DeliveryStore.FindAsync(tx, project, id) is not { } delivery)
            return Unknown;
        // It has arrived: a repeat of what made it arrive sends nothing more.
        if (delivery.Status == Delivery.Delivered)
            return null;
        // One that waits for its next try need not.
        if (delivery.Status == Delivery.Pending)
        {
            await DeliveryEnd.HurryAsync(tx, delivery);
            return null;
        }
        return await RequeueAsync(tx, delivery) is { } why ? new Refusal(409, why, "not_retryable") : null;
    }

    /// <summary>Returns why it is not sent again; null when it is pending, now or already.</summary>
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
