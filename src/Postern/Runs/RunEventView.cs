using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Runs;

/// <summary>
/// A row of the timeline as it is read: the same object in a page and as the data of an event stream.
/// </summary>
internal sealed record RunEventView(
    [Member("The number of the event in the timeline, from 1.")] long Seq,
    [Member("What happened.")] string Type,
    [At("When the server took it.")] string At,
    [Member("The attempt that it was of.")] long Attempt,
    [Member("Who did it.")] string Actor,
    [Member("With which kind of credential.")] string Credential,
    [Member("The state before.")] [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? From,
    [Member("The state after.")] [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? To,
    [Member("The id that the report gave.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? EventId,
    [Member("The correlation id that the report gave.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? CorrelationId,
    [At("When it happened, as the report says.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? OccurredAt,
    [Word("Whether it changed the run.", "accepted", "refused")] string Outcome,
    [Member("Why it was refused.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? Code,
    [Chosen("More about it.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        JsonElement? Detail
)
{
    public static RunEventView Of(RunEvent e) =>
        new(
            e.Seq,
            e.Type,
            Wire.Iso(e.At),
            e.Attempt,
            e.By.Id,
            e.By.Credential,
            e.From,
            e.To,
            e.EventId,
            e.CorrelationId,
            e.OccurredAt is { } at ? Wire.IsoMicroseconds(at) : null,
            e.Accepted ? "accepted" : "refused",
            e.Code,
            e.Detail is null ? null : JsonSerializer.Deserialize<JsonElement>(e.Detail, Wire.Json)
        );
}
