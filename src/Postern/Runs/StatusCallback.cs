using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Runs;

[Strict]
internal sealed record StatusCallback(
    [Text("The same id again is the same report.", 1, 255)] [property: JsonPropertyName("event_id")] string EventId,
    [Text("The state of the run's workflow that it moves to.", 1, 64)] string Status,
    [At("When it happened: RFC 3339 with an offset.")] [property: JsonPropertyName("occurred_at")] string OccurredAt,
    [Text("An id of the orchestrator's, kept in the timeline.", 1, 255)]
    [property: JsonPropertyName("correlation_id")]
        string CorrelationId,
    [Word("Who reports.", "orchestrator", "system")] [property: JsonPropertyName("actor_type")] string? ActorType,
    [Chosen("Artifacts by their names, added to those there are.")]
    [property: JsonPropertyName("artifact_updates")]
        JsonElement? ArtifactUpdates,
    [Text("A stable code of why it failed.", 1, 128)] [property: JsonPropertyName("failure_code")] string? FailureCode,
    [Text("What went wrong, for people.", 1, 4096)]
    [property: JsonPropertyName("failure_message")]
        string? FailureMessage,
    [Text("The stage that failed.", 1, 128)] [property: JsonPropertyName("failed_stage")] string? FailedStage,
    [Whole("The attempt that the report is of.", 1, int.MaxValue)] long? Attempt
);
