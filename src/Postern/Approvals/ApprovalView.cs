using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Approvals;

internal sealed record ApprovalView(
    [Member("The question's id.")] [property: JsonPropertyName("approval_request_id")] string ApprovalRequestId,
    [Member("The run that waits.")] [property: JsonPropertyName("execution_id")] string ExecutionId,
    [Member("The number of the question in its run, from 1.")] long Round,
    [Member("The run's agent.")] string Agent,
    [Member("The run's session.")] [property: JsonPropertyName("session_id")] string? SessionId,
    [Word(
        "What has become of it.",
        Approval.Pending,
        Decision.Approved,
        Decision.Rejected,
        Decision.RequestChanges,
        Decision.Expired,
        Decision.Cancelled
    )]
        string Status,
    [Member("The approval service that may decide.")] string Service,
    [Member("What is asked, in one line.")] string? Title,
    [Member("What is asked, at length.")] string? Description,
    [Member("What is decided about. Null in lists.")] JsonElement? Payload,
    [Member("The payload's digest.")] [property: JsonPropertyName("payload_hash")] string? PayloadHash,
    [Chosen("Choices to show.", "array", "object")] JsonElement? Options,
    [Word("What a rejection does to the run.", Approval.Cancel, Approval.Continue)]
    [property: JsonPropertyName("on_reject")]
        string OnReject,
    [Member("Where the person is asked, for who may know it.")]
    [property: JsonPropertyName("request_url")]
        string? RequestUrl,
    [Member("The kind of credential that asked.")] [property: JsonPropertyName("asked_with")] string AskedWith,
    [Member("Who asked.")] [property: JsonPropertyName("asked_by")] string AskedBy,
    [At("When it was asked.")] [property: JsonPropertyName("requested_at")] string RequestedAt,
    [At("When the question expires.")] [property: JsonPropertyName("expires_at")] string ExpiresAt,
    [Member("Seconds from the question to its answer, or to now.")]
    [property: JsonPropertyName("waited_seconds")]
        long WaitedSeconds,
    [At("When it was decided.")] [property: JsonPropertyName("responded_at")] string? RespondedAt,
    [Member("How it was decided.")] [property: JsonPropertyName("decided_with")] string? DecidedWith,
    [Member("Who decided.")] [property: JsonPropertyName("decided_by")] string? DecidedBy,
    [Member("What the person wrote.")] string? Feedback,
    [Member("What the answer says beside the decision. Null in lists.")] JsonElement? Response
);
