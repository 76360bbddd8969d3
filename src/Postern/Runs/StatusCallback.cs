using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Runs;

[Strict]
internal sealed record StatusCallback
{
    [Text("The same id again is the same report.", 1, 255)]
    [JsonPropertyName("event_id")]
    public required string EventId { get; init; }

    [Text("The state of the run's workflow that it moves to.", 1, 64)]
    public required string Status { get; init; }

    [At("When it happened: RFC 3339 with an offset.")]
    [JsonPropertyName("occurred_at")]
    public required long OccurredAt { get; init; }

    [Text("An id of the orchestrator's, kept in the timeline.", 1, 255)]
    [JsonPropertyName("correlation_id")]
    public required string CorrelationId { get; init; }

    [Word("Who reports.", "orchestrator", "system")]
    [JsonPropertyName("actor_type")]
    public string? ActorType { get; init; }

    [Chosen("Artifacts by their names, added to those there are.")]
    [JsonPropertyName("artifact_updates")]
    public JsonElement? ArtifactUpdates { get; init; }

    [Text("A stable code of why it failed.", 1, 128)]
    [JsonPropertyName("failure_code")]
    public string? FailureCode { get; init; }

    [Text("What went wrong, for people.", 1, 4096, IsProse = true)]
    [JsonPropertyName("failure_message")]
    public string? FailureMessage { get; init; }

    [Text("The stage that failed.", 1, 128)]
    [JsonPropertyName("failed_stage")]
    public string? FailedStage { get; init; }

    [Whole("The attempt that the report is of.", 1, int.MaxValue, HasManySpellings = true)]
    public long? Attempt { get; init; }
}
