using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Approvals;

internal sealed record ApprovalStatusView(
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
    [Member("The question's id.")] [property: JsonPropertyName("approval_request_id")] string ApprovalRequestId,
    [Member("The number of the question in its run, from 1.")] long Round,
    [Member("What the answer says beside the decision.", MayBeAbsent = true)] JsonElement? Response,
    [Member("What the person wrote.", MayBeAbsent = true)] string? Feedback,
    [Member("Who decided.", MayBeAbsent = true)] [property: JsonPropertyName("decided_by")] string? DecidedBy,
    [Member("Where the person is asked, for who may know it.", MayBeAbsent = true)]
    [property: JsonPropertyName("request_url")]
        string? RequestUrl,
    [At("When it was asked.")] [property: JsonPropertyName("requested_at")] string RequestedAt,
    [At("When it was decided.", MayBeAbsent = true)] [property: JsonPropertyName("responded_at")] string? RespondedAt,
    [At("When the question expires.")] [property: JsonPropertyName("expires_at")] string ExpiresAt
);
