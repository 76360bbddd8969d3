using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Runs;

/// <summary>The bodies of the status callback's answers, as its contract spells them.</summary>
internal sealed record ReplayedCallback(
    [Member("The run's id.")] [property: JsonPropertyName("job_id")] string JobId,
    [Member("The id that the report gave.")] [property: JsonPropertyName("event_id")] string EventId,
    [Member("True: the report was applied before.")] bool Replayed,
    [Member("The state that the run is in now.")] [property: JsonPropertyName("current_status")] string CurrentStatus,
    [At("The newest instant that a report gave.")]
    [property: JsonPropertyName("latest_applied_occurred_at")]
        string? LatestAppliedOccurredAt
);

internal sealed record TransitionRefused(
    [Member("ILLEGAL_TRANSITION or the like.")] string Code,
    [Member("What is wrong, for people.")] string Message,
    [Member("What a program needs to go on.")] TransitionDetails Details
);

internal sealed record TransitionDetails(
    [Member("The state that the run is in.")] [property: JsonPropertyName("current_status")] string CurrentStatus,
    [Member("The state that the report names.")]
    [property: JsonPropertyName("attempted_status")]
        string AttemptedStatus,
    [Member("The states that a report may name now.")]
    [property: JsonPropertyName("allowed_next_statuses")]
        IReadOnlyList<string> AllowedNextStatuses
);

internal sealed record OutOfOrderRefused(
    [Member("The stable code.")] string Code,
    [Member("What is wrong, for people.")] string Message,
    [Member("What a program needs to go on.")] OutOfOrderDetails Details
);

internal sealed record OutOfOrderDetails(
    [At("The newest instant that a report gave.")]
    [property: JsonPropertyName("latest_applied_occurred_at")]
        string LatestAppliedOccurredAt,
    [Member("The state that the run is in.")] [property: JsonPropertyName("current_status")] string CurrentStatus,
    [Member("The state that the report names.")] [property: JsonPropertyName("attempted_status")] string AttemptedStatus
);

internal sealed record MismatchRefused(
    [Member("The stable code.")] string Code,
    [Member("What is wrong, for people.")] string Message,
    [Member("What a program needs to go on.")] MismatchDetails Details
);

internal sealed record MismatchDetails(
    [Member("The id that was used for another report.")] [property: JsonPropertyName("event_id")] string EventId
);

internal sealed record StaleRefused(
    [Member("The stable code.")] string Code,
    [Member("What is wrong, for people.")] string Message,
    [Member("What a program needs to go on.")] StaleDetails Details
);

internal sealed record StaleDetails(
    [Member("The attempt that the run is at.")] [property: JsonPropertyName("current_attempt")] long CurrentAttempt,
    [Member("The attempt that the report is of.")] [property: JsonPropertyName("reported_attempt")] long ReportedAttempt
);

internal sealed record ValidationRefused(
    [Member("The stable code.")] string Code,
    [Member("What is wrong, for people.")] string Message,
    [Member("What is wrong, field by field.")] ValidationDetails Details
);

internal sealed record ValidationDetails(
    [Member("All that is wrong with the body.")] IReadOnlyList<ValidationError> Errors
);

internal sealed record ValidationError(
    [Member("The field.")] string Field,
    [Member("What is wrong with it.")] string Problem
);
