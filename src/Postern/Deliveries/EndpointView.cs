using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Deliveries;

internal sealed record EndpointView
{
    [Member("The endpoint's id.")]
    public required string Id { get; init; }

    [Member("Where events are sent.")]
    public required string Url { get; init; }

    [Member("The types of events.")]
    public required IReadOnlyList<string> Events { get; init; }

    [Member("Events a second at most.")]
    public required long? RateLimit { get; init; }

    [Member("Whether events about one subject are sent one after another.")]
    public required bool Ordered { get; init; }

    [Member("Whether events are sent.")]
    public required bool Enabled { get; init; }

    [Member("Whether it is sent the links of questions.")]
    public required bool Links { get; init; }

    [Member("Why it is disabled.")]
    public required string? DisabledReason { get; init; }

    [At("Since when nothing has arrived.")]
    public required string? FailingSince { get; init; }

    [At("Until when the secret before signs too.")]
    public required string? PreviousSecretValidUntil { get; init; }

    [At("When it was made.")]
    public required string CreatedAt { get; init; }

    [At("When it changed last.")]
    public required string UpdatedAt { get; init; }

    [Member("Signs the events. In the answer that made it, once.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? Secret { get; init; }

    public static EndpointView Of(WebhookEndpoint e, string? secret = null) =>
        new()
        {
            Id = e.Id,
            Url = e.Url,
            Events = e.Events,
            RateLimit = e.RateLimit,
            Ordered = e.Ordered,
            Enabled = e.Enabled,
            Links = e.Links,
            DisabledReason = e.DisabledReason,
            FailingSince = Wire.Iso(e.FailingSince),
            PreviousSecretValidUntil = Wire.Iso(e.PreviousUntil),
            CreatedAt = Wire.Iso(e.CreatedAt),
            UpdatedAt = Wire.Iso(e.UpdatedAt),
            Secret = secret,
        };
}
