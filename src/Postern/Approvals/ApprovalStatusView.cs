using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Approvals;

internal sealed record ApprovalStatusView
{
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

    [Member("The question's id.")]
    [JsonPropertyName("approval_request_id")]
    public required string ApprovalRequestId { get; init; }

    [Member("The number of the question in its run, from 1.")]
    public required long Round { get; init; }

    [Member("What the answer says beside the decision.", MayBeAbsent = true)]
    public required JsonElement? Response { get; init; }

    [Member("What the person wrote.", MayBeAbsent = true)]
    public required string? Feedback { get; init; }

    [Member("Who decided.", MayBeAbsent = true)]
    [JsonPropertyName("decided_by")]
    public required string? DecidedBy { get; init; }

    [Member("Where the person is asked, for who may know it.", MayBeAbsent = true)]
    [JsonPropertyName("request_url")]
    public required string? RequestUrl { get; init; }

    [At("When it was asked.")]
    [JsonPropertyName("requested_at")]
    public required string RequestedAt { get; init; }

    [At("When it was decided.", MayBeAbsent = true)]
    [JsonPropertyName("responded_at")]
    public required string? RespondedAt { get; init; }

    [At("When the question expires.")]
    [JsonPropertyName("expires_at")]
    public required string ExpiresAt { get; init; }
}
