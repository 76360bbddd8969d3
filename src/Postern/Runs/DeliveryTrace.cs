using System.Text.Json;
using Postern.Deliveries;
using Postern.Http;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>Writes the outcomes of a run's deliveries into its timeline.</summary>
internal static class DeliveryTrace
{
    /// <summary>The code of an event for a failed attempt or delivery.</summary>
    public const string Failed = "delivery_failed";

    public static ValueTask AddAsync(Tx tx, Delivery delivery, string type, bool accepted, string? reason) =>
        RunEvents.AddAsync(
            tx,
            delivery.Project,
            delivery.Subject,
            seq => new RunEvent
            {
                Seq = seq,
                Type = type,
                At = tx.Now,
                Attempt = AttemptOf(delivery),
                By = Actor.Server,
                Accepted = accepted,
                Code = accepted ? null : Failed,
                Detail = JsonSerializer.Serialize(
                    reason is null
                        ? new
                        {
                            deliveryId = delivery.Id,
                            type = delivery.Type,
                            number = delivery.Attempts + 1,
                        }
                        : (object)
                            new
                            {
                                deliveryId = delivery.Id,
                                type = delivery.Type,
                                number = delivery.Attempts + 1,
                                reason = reason,
                            },
                    Wire.Json
                ),
            }
        );

    /// <summary>The run's attempt for which the delivery was made, if any.</summary>
    public static long AttemptOf(Delivery delivery) =>
        long.TryParse(delivery.Detail?.Split(' ')[0], out var attempt) ? attempt : 1;
}
