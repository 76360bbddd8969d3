using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Deliveries;

internal sealed record DeliveryView
{
    [Member("The delivery's id, which is its webhook-id.")]
    public required string Id { get; init; }

    [Member("What it is for.")]
    public required string Purpose { get; init; }

    [Member("The type of the event.")]
    public required string Type { get; init; }

    [Member("Where it goes.")]
    public required string Endpoint { get; init; }

    [Member("The run or session that it is about.")]
    public required string Subject { get; init; }

    [Word("What has become of it.", Delivery.Pending, Delivery.Delivered, Delivery.Dead)]
    public required string Status { get; init; }

    [Member("Why it is dead, or waits.")]
    public required string? Reason { get; init; }

    [Member("Attempts so far.")]
    public required long AttemptCount { get; init; }

    [At("When it was made.")]
    public required string CreatedAt { get; init; }

    [At("When it is tried next.")]
    public required string? NextAttemptAt { get; init; }

    [At("When it is given up.")]
    public required string GiveUpAt { get; init; }

    [At("When it was delivered or given up.")]
    public required string? EndedAt { get; init; }

    [Member("The attempts. Not in lists.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required IReadOnlyList<AttemptView>? Attempts { get; init; }

    [Chosen(
        "The body that is sent, for who may read runs. Of a dispatch the copy of what was sent last, without its "
            + "tokens, for who may read runs, sessions and triggers. Not in lists."
    )]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required JsonElement? Body { get; init; }

    [Member("Why it has not arrived, of one that is read by itself.", MayBeAbsent = true)]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required Why? Why { get; init; }

    public static DeliveryView Of(
        Delivery d,
        List<(long Number, Attempt Attempt)>? attempts,
        bool withBody = false,
        Why? why = null
    ) =>
        new()
        {
            Id = d.Id,
            Purpose = d.Purpose,
            Type = d.Type,
            Endpoint = WebhookEndpoints.Shown(d.Endpoint),
            Subject = d.Subject,
            Status = d.Status,
            Reason = d.Reason,
            AttemptCount = d.Attempts,
            CreatedAt = Wire.Iso(d.CreatedAt),
            NextAttemptAt = Wire.Iso(d.DueAt),
            GiveUpAt = Wire.Iso(d.GiveUpAt),
            EndedAt = Wire.Iso(d.EndedAt),
            Attempts = attempts
                ?.Select(a => new AttemptView(
                    a.Number,
                    Wire.Iso(a.Attempt.At),
                    a.Attempt.DurationMilliseconds,
                    a.Attempt.Status,
                    a.Attempt.Category,
                    a.Attempt.Response
                ))
                .ToList(),
            Body = withBody && d.Body is not null ? JsonSerializer.Deserialize<JsonElement>(d.Body, Wire.Json) : null,
            Why = why,
        };
}
