using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Runs;

/// <summary>The bodies of the status callback's answers, as its contract spells them.</summary>
internal sealed record ReplayedCallback(
    [Member("The run's id.")]
    [property: JsonPropertyName("job_id")]
    string JobId,
    [Member("The id that the report gave.")]
    [property: JsonPropertyName("event_id")]
    string EventId,
    [Member("True: the report was applied before.")] bool Replayed,
    [Member("The state that the run is in now.")]
    [property: JsonPropertyName("current_status")]
    string CurrentStatus,
    [At("The newest instant that a report gave.")]
    [property: JsonPropertyName("latest_applied_occurred_at")]
    string? LatestAppliedOccurredAt);
