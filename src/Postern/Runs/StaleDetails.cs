using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Runs;

internal sealed record StaleDetails(
    [Member("The attempt that the run is at.")]
    [property: JsonPropertyName("current_attempt")]
    long CurrentAttempt,
    [Member("The attempt that the report is of.")]
    [property: JsonPropertyName("reported_attempt")]
    long ReportedAttempt);
