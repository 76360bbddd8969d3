using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Deliveries;

internal sealed record DeliveryView(
    [Member("The delivery's id, which is its webhook-id.")] string Id,
    [Member("What it is for.")] string Purpose,
    [Member("The type of the event.")] string Type,
    [Member("Where it goes.")] string Endpoint,
    [Member("The run or session that it is about.")] string Subject,
    [Word("What has become of it.", Delivery.Pending, Delivery.Delivered, Delivery.Dead)] string Status,
    [Member("Why it is dead, or waits.")] string? Reason,
    [Member("Attempts so far.")] long AttemptCount,
    [At("When it was made.")] string CreatedAt,
    [At("When it is tried next.")] string? NextAttemptAt,
    [At("When it is given up.")] string GiveUpAt,
    [At("When it was delivered or given up.")] string? EndedAt,
    [Member("The attempts. Not in lists.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        IReadOnlyList<AttemptView>? Attempts,
    [Chosen("The body that is sent, for who may read runs. Not in lists.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        JsonElement? Body
)
{
    public static DeliveryView Of(Delivery d, List<(long Number, Attempt Attempt)>? attempts, bool withBody = false) =>
        new(
            d.Id,
            d.Purpose,
            d.Type,
            WebhookEndpoints.Shown(d.Endpoint),
            d.Subject,
            d.Status,
            d.Reason,
            d.Attempts,
            Wire.Iso(d.CreatedAt),
            Wire.Iso(d.DueAt),
            Wire.Iso(d.GiveUpAt),
            Wire.Iso(d.EndedAt),
            attempts
                ?.Select(a => new AttemptView(
                    a.Number,
                    Wire.Iso(a.Attempt.At),
                    a.Attempt.DurationMilliseconds,
                    a.Attempt.Status,
                    a.Attempt.Category,
                    a.Attempt.Response
                ))
                .ToList(),
            withBody && d.Body is not null ? JsonSerializer.Deserialize<JsonElement>(d.Body, Wire.Json) : null
        );
}
