using System.Text.Json.Serialization;

namespace Postern.Runs;

/// <summary>The bodies of the status callback's answers, as its contract spells them.</summary>
internal sealed record ReplayedCallback(
    [property: JsonPropertyName("job_id")] string JobId, [property: JsonPropertyName("event_id")] string EventId, bool Replayed,
    [property: JsonPropertyName("current_status")] string CurrentStatus, [property: JsonPropertyName("latest_applied_occurred_at")] string? LatestAppliedOccurredAt);

internal sealed record TransitionRefused(string Code, string Message, TransitionDetails Details);

internal sealed record TransitionDetails(
    [property: JsonPropertyName("current_status")] string CurrentStatus, [property: JsonPropertyName("attempted_status")] string AttemptedStatus,
    [property: JsonPropertyName("allowed_next_statuses")] IReadOnlyList<string> AllowedNextStatuses);

internal sealed record OutOfOrderRefused(string Code, string Message, OutOfOrderDetails Details);

internal sealed record OutOfOrderDetails(
    [property: JsonPropertyName("latest_applied_occurred_at")] string LatestAppliedOccurredAt, [property: JsonPropertyName("current_status")] string CurrentStatus,
    [property: JsonPropertyName("attempted_status")] string AttemptedStatus);

internal sealed record MismatchRefused(string Code, string Message, MismatchDetails Details);

internal sealed record MismatchDetails([property: JsonPropertyName("event_id")] string EventId);

internal sealed record StaleRefused(string Code, string Message, StaleDetails Details);

internal sealed record StaleDetails([property: JsonPropertyName("current_attempt")] long CurrentAttempt, [property: JsonPropertyName("reported_attempt")] long ReportedAttempt);

internal sealed record ValidationRefused(string Code, string Message, ValidationDetails Details);

internal sealed record ValidationDetails(IReadOnlyList<ValidationError> Errors);

internal sealed record ValidationError(string Field, string Problem);
