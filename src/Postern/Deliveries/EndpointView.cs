using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Deliveries;

internal sealed record EndpointView(
    [Member("The endpoint's id.")] string Id,
    [Member("Where events are sent.")] string Url,
    [Member("The types of events.")] IReadOnlyList<string> Events,
    [Member("Events a second at most.")] long? RateLimit,
    [Member("Whether events about one subject are sent one after another.")] bool Ordered,
    [Member("Whether events are sent.")] bool Enabled,
    [Member("Whether it is sent the links of questions.")] bool Links,
    [Member("Why it is disabled.")] string? DisabledReason,
    [At("Since when nothing has arrived.")] string? FailingSince,
    [At("Until when the secret before signs too.")] string? PreviousSecretValidUntil,
    [At("When it was made.")] string CreatedAt,
    [At("When it changed last.")] string UpdatedAt,
    [Member("Signs the events. In the answer that made it, once.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? Secret
)
{
    public static EndpointView Of(WebhookEndpoint e, string? secret = null) =>
        new(
            e.Id,
            e.Url,
            e.Events,
            e.RateLimit,
            e.Ordered,
            e.Enabled,
            e.Links,
            e.DisabledReason,
            Wire.Iso(e.FailingSince),
            Wire.Iso(e.PreviousUntil),
            Wire.Iso(e.CreatedAt),
            Wire.Iso(e.UpdatedAt),
            secret
        );
}
