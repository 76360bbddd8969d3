using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Approvals;

internal sealed record ApprovalView
{
    [Member("The question's id.")]
    [JsonPropertyName("approval_request_id")]
    public required string ApprovalRequestId { get; init; }

    [Member("The run that waits.")]
    [JsonPropertyName("execution_id")]
    public required string ExecutionId { get; init; }

    [Member("The number of the question in its run, from 1.")]
    public required long Round { get; init; }

    [Member("The run's agent.")]
    public required string Agent { get; init; }

    [Member("The run's session.")]
    [JsonPropertyName("session_id")]
    public required string? SessionId { get; init; }

    [Word(
        "What has become of it.",
        Approval.Pending,
        Decision.Approved,
        Decision.Rejected,
        Decision.RequestChanges,
        Decision.Expired,
        Decision.Cancelled
    )]
    public required string Status { get; init; }

    [Member("The approval service that may decide.")]
    public required string Service { get; init; }

    [Member("What is asked, in one line.")]
    public required string? Title { get; init; }

    [Member("What is asked, at length.")]
    public required string? Description { get; init; }

    [Member("What is decided about. Null in lists.")]
    public required JsonElement? Payload { get; init; }

    [Member("The payload's digest.")]
    [JsonPropertyName("payload_hash")]
    public required string? PayloadHash { get; init; }

    [Chosen("Choices to show.", "array", "object")]
    public required JsonElement? Options { get; init; }

    [Word("What a rejection does to the run.", Approval.Cancel, Approval.Continue)]
    [JsonPropertyName("on_reject")]
    public required string OnReject { get; init; }

    [Member("Where the person is asked, for who may know it.")]
    [JsonPropertyName("request_url")]
    public required string? RequestUrl { get; init; }

    [Member("The kind of credential that asked.")]
    [JsonPropertyName("asked_with")]
    public required string AskedWith { get; init; }

    [Member("Who asked.")]
    [JsonPropertyName("asked_by")]
    public required string AskedBy { get; init; }

    [At("When it was asked.")]
    [JsonPropertyName("requested_at")]
    public required string RequestedAt { get; init; }

    [At("When the question expires.")]
    [JsonPropertyName("expires_at")]
    public required string ExpiresAt { get; init; }

    [Member("Seconds from the question to its answer, or to now.")]
    [JsonPropertyName("waited_seconds")]
    public required long WaitedSeconds { get; init; }

    [At("When it was decided.")]
    [JsonPropertyName("responded_at")]
    public required string? RespondedAt { get; init; }

    [Member("How it was decided.")]
    [JsonPropertyName("decided_with")]
    public required string? DecidedWith { get; init; }

    [Member("Who decided.")]
    [JsonPropertyName("decided_by")]
    public required string? DecidedBy { get; init; }

    [Member("What the person wrote.")]
    public required string? Feedback { get; init; }

    [Member("What the answer says beside the decision. Null in lists.")]
    public required JsonElement? Response { get; init; }
}
