using System.Collections.Frozen;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// Records the results of deliveries in one transaction each: an attempt, or the end of a delivery that is not sent,
/// with the consequences for its purpose.
/// </summary>
internal sealed class DeliveryRecorder(Database database, Outbox outbox, IEnumerable<DeliveryPurpose> purposes)
{
    private readonly FrozenDictionary<string, DeliveryPurpose> _purposes = purposes.ToFrozenDictionary(
        p => p.Name,
        StringComparer.Ordinal
    );

    /// <summary>
    /// Records an attempt and its consequence: another try, or the end. When the lease was lost, nothing is written.
    /// </summary>
    /// <param name="delivery">What was sent.</param>
    /// <param name="attempt">What came of it.</param>
    /// <param name="maxTries">Tries that it may have in all.</param>
    public Task RecordAsync(Delivery delivery, Attempt attempt, long maxTries) =>
        database.WriteAsync(async tx =>
        {
            var purpose = PurposeOf(delivery);
            await purpose.LockAsync(tx, delivery);
            if (DueAgain(tx, delivery, attempt, maxTries) is { } dueAt)
            {
                if (await DeliveryEnd.PostponeAsync(tx, delivery, attempt, dueAt))
                    await purpose.AttemptedAsync(tx, delivery, attempt);
                return 0;
            }
            var reason = attempt.Arrived ? null : attempt.Explanation;
            if (!await DeliveryEnd.EndAsync(tx, delivery, attempt, reason))
                return 0;
            await purpose.EndedAsync(tx, delivery, attempt, reason);
            if (attempt.Disables)
                await purpose.DisableAsync(
                    tx,
                    delivery,
                    attempt.Status == 410
                        ? "it answered 410 Gone"
                        : "it asked for nothing more (webhook-delivery: disable)"
                );
            if (reason is not null)
                await TellDeadAsync(tx, delivery, reason);
            return 0;
        });

    /// <summary>Returns when it is tried again; null: never.</summary>
    private static long? DueAgain(Tx tx, Delivery delivery, Attempt attempt, long maxTries)
    {
        var most = Math.Min(maxTries, DeliverySchedule.Schedule.Length + 1);
        if (attempt.Arrived || !attempt.MayPass || attempt.Directive is not null || delivery.Tries + 1 >= most)
            return null;
        var dueAt = DeliverySchedule.DueAgain(tx, delivery, attempt);
        return dueAt < delivery.GiveUpAt ? dueAt : null;
    }

    /// <summary>
    /// Ends a delivery that is not sent: its time is over, or there is nothing left to send. The latter is no failure,
    /// so no event is emitted for it.
    /// </summary>
    public Task<bool> EndUnsentAsync(Delivery delivery, string why, bool tell = true) =>
        database.WriteAsync(tx => EndUnsentAsync(tx, delivery, why, tell));

    /// <inheritdoc cref="EndUnsentAsync(Delivery, string, bool)"/>
    public async ValueTask<bool> EndUnsentAsync(Tx tx, Delivery delivery, string why, bool tell = true)
    {
        var purpose = PurposeOf(delivery);
        await purpose.LockAsync(tx, delivery);
        if (!await DeliveryEnd.EndAsync(tx, delivery, null, why))
            return false;
        await purpose.EndedAsync(tx, delivery, null, why);
        if (tell)
            await TellDeadAsync(tx, delivery, why);
        return true;
    }

    /// <summary>Returns the purpose of a delivery.</summary>
    /// <exception cref="InvalidOperationException">Nobody knows its purpose.</exception>
    public DeliveryPurpose PurposeOf(Delivery delivery) =>
        _purposes.GetValueOrDefault(delivery.Purpose)
        ?? throw new InvalidOperationException($"Nobody knows the purpose {delivery.Purpose} of {delivery.Id}.");

    /// <summary>
    /// A dead delivery emits an event. A dead delivery of such an event is only listed; otherwise one dead endpoint
    /// would cause events for ever.
    /// </summary>
    private ValueTask TellDeadAsync(Tx tx, Delivery delivery, string reason) =>
        delivery.Type == EventType.DeliveryDead.Name || delivery.Type == EventType.EndpointDisabled.Name
            ? default
            : outbox.EmitAsync(
                tx,
                delivery.Project,
                EventType.DeliveryDead,
                delivery.Id,
                json =>
                {
                    json.WriteString("deliveryId", delivery.Id);
                    json.WriteString("deliveryType", delivery.Type);
                    json.WriteString("purpose", delivery.Purpose);
                    json.WriteString("endpoint", WebhookEndpoints.Shown(delivery.Endpoint));
                    json.WriteString("subject", delivery.Subject);
                    json.WriteString("reason", reason);
                }
            );
}
