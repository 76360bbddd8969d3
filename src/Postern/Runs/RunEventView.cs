using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Runs;

/// <summary>A row of the timeline as it is read, the same in a page and in an event stream.</summary>
internal sealed record RunEventView
{
    [Member("The number of the event in the timeline, from 1.")]
    public required long Seq { get; init; }

    [Member("What happened.")]
    public required string Type { get; init; }

    [At("When the server took it.")]
    public required string At { get; init; }

    [Member("The attempt that it was of.")]
    public required long Attempt { get; init; }

    [Member("Who did it.")]
    public required string Actor { get; init; }

    [Member("With which kind of credential.")]
    public required string Credential { get; init; }

    [Member("The state before.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? From { get; init; }

    [Member("The state after.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? To { get; init; }

    [Member("The id that the report gave.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? EventId { get; init; }

    [Member("The correlation id that the report gave.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? CorrelationId { get; init; }

    [At("When it happened, as the report says.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? OccurredAt { get; init; }

    [Word("Whether it changed the run.", "accepted", "refused")]
    public required string Outcome { get; init; }

    [Member("Why it was refused.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? Code { get; init; }

    [Chosen("More about it.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required JsonElement? Detail { get; init; }

    public static RunEventView Of(RunEvent e) =>
        new()
        {
            Seq = e.Seq,
            Type = e.Type,
            At = Wire.Iso(e.At),
            Attempt = e.Attempt,
            Actor = e.By.Id,
            Credential = e.By.Credential,
            From = e.From,
            To = e.To,
            EventId = e.EventId,
            CorrelationId = e.CorrelationId,
            OccurredAt = e.OccurredAt is { } at ? Wire.IsoMicroseconds(at) : null,
            Outcome = e.Accepted ? "accepted" : "refused",
            Code = e.Code,
            Detail = e.Detail is null ? null : JsonSerializer.Deserialize<JsonElement>(e.Detail, Wire.Json),
        };
}
