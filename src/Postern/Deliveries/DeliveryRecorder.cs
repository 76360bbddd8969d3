using System.Collections.Frozen;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// Writes what became of deliveries: the record of an attempt, or the end of one that is not sent, with what follows
/// from it for its purpose, in one transaction.
/// </summary>
internal sealed class DeliveryRecorder(Database database, Outbox outbox, IEnumerable<DeliveryPurpose> purposes)
{
    private readonly FrozenDictionary<string, DeliveryPurpose> _purposes = purposes.ToFrozenDictionary(
        p => p.Name,
        StringComparer.Ordinal
    );

    /// <summary>
    /// The record of an attempt and what follows from it: another try, or the end. A lease that was lost writes
    /// nothing.
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
            var reason = attempt.Arrived ? null : attempt.Words;
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

    /// <summary>When it is tried again; null: never.</summary>
    private static long? DueAgain(Tx tx, Delivery delivery, Attempt attempt, long maxTries)
    {
        var most = Math.Min(maxTries, DeliverySchedule.Schedule.Length + 1);
        if (attempt.Arrived || !attempt.MayPass || attempt.Directive is not null || delivery.Tries + 1 >= most)
            return null;
        var dueAt = DeliverySchedule.DueAgain(tx, delivery, attempt);
        return dueAt < delivery.GiveUpAt ? dueAt : null;
    }

    /// <summary>
    /// Ends a delivery that is not sent: its time is over, or there is nothing to send any more, which is nobody's
    /// failure and not told.
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

    /// <summary>What a delivery is for.</summary>
    /// <exception cref="InvalidOperationException">Nobody knows its purpose.</exception>
    public DeliveryPurpose PurposeOf(Delivery delivery) =>
        _purposes.GetValueOrDefault(delivery.Purpose)
        ?? throw new InvalidOperationException($"Nobody knows the purpose {delivery.Purpose} of {delivery.Id}.");

    /// <summary>
    /// Dead deliveries are told of; those that were to tell of one are only listed, so that one dead endpoint does not
    /// go on for ever.
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
