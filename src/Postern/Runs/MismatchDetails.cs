using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Runs;

internal sealed record MismatchDetails(
    [Member("The id that was used for another report.")]
    [property: JsonPropertyName("event_id")]
    string EventId);
