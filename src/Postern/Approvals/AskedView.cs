using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Approvals;

/// <summary>The views of a question, for the document.</summary>
internal sealed record AskedView(
    [Member("The question's id.")] [property: JsonPropertyName("approval_request_id")] string ApprovalRequestId,
    [Member("Where the person is asked, for who may know it.")]
    [property: JsonPropertyName("approval_request_url")]
        string? ApprovalRequestUrl,
    [Member("pending, or what has become of it.")] string Status,
    [At("When the question expires.")] [property: JsonPropertyName("expires_at")] string ExpiresAt,
    [Member("The payload's digest.")] [property: JsonPropertyName("payload_hash")] string? PayloadHash
);
