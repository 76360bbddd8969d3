using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Approvals;

/// <summary>
/// A service's decision, flat; or as <c>{id, type, createdAt, data: {requestId, response: {decision, feedback}}}</c>.
/// </summary>
internal sealed record ApprovalDecided(
    [Member("The question's id. In an envelope it may stand in data.")] string? RequestId,
    [Member("approved, rejected, request_changes or expired. In an envelope it stands in data.")] string? Decision,
    [Member("What the person wrote.")] string? Feedback,
    [Member("What the answer says beside the decision.")] JsonElement? Response,
    [Member("The digest of the payload that the person has seen.")]
    [property: JsonPropertyName("payload_hash")]
        string? PayloadHash,
    [Member("When it was decided; not looked at.")] JsonElement? Timestamp,
    [Chosen("Makes it an envelope: requestId, and response with decision, feedback and payload_hash.")]
        JsonElement? Data,
    [Member("The type of an envelope: expired expires, others say nothing.")] JsonElement? Type
);
