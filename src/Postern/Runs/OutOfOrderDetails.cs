using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Runs;

internal sealed record OutOfOrderDetails(
    [At("The newest instant that a report gave.")]
    [property: JsonPropertyName("latest_applied_occurred_at")]
    string LatestAppliedOccurredAt,
    [Member("The state that the run is in.")]
    [property: JsonPropertyName("current_status")]
    string CurrentStatus,
    [Member("The state that the report names.")]
    [property: JsonPropertyName("attempted_status")]
    string AttemptedStatus);
