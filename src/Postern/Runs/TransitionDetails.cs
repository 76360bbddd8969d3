using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Runs;

internal sealed record TransitionDetails(
    [Member("The state that the run is in.")]
    [property: JsonPropertyName("current_status")]
    string CurrentStatus,
    [Member("The state that the report names.")]
    [property: JsonPropertyName("attempted_status")]
    string AttemptedStatus,
    [Member("The states that a report may name now.")]
    [property: JsonPropertyName("allowed_next_statuses")]
    IReadOnlyList<string> AllowedNextStatuses);
