using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Approvals;

/// <summary>
/// The decision of a service, flat, or as <c>{id, type, createdAt, data: {requestId, response: {decision,
/// feedback}}}</c>. The members are as they came; <see cref="ApprovalMessage"/> decides what they mean together.
/// </summary>
internal sealed record ApprovalDecided(
    [Chosen("The question's id. In an envelope it may stand in data.", "string", IsRaw = true)] JsonElement? RequestId,
    [Chosen(
        "approved, rejected, request_changes or expired. In an envelope it stands in data.",
        "string",
        IsRaw = true
    )]
        JsonElement? Decision,
    [Chosen("What the person wrote.", "string", IsRaw = true)] JsonElement? Feedback,
    [AnyJson("What the answer says beside the decision.", IsRaw = true)] JsonElement? Response,
    [Chosen("The digest of the payload that the person has seen.", "string", IsRaw = true)]
    [property: JsonPropertyName("payload_hash")]
        JsonElement? PayloadHash,
    [AnyJson("When it was decided; not looked at.", IsRaw = true)] JsonElement? Timestamp,
    [Chosen("Makes it an envelope: requestId, and response with decision, feedback and payload_hash.", IsRaw = true)]
        JsonElement? Data,
    [AnyJson("The type of an envelope: expired expires, others say nothing.", IsRaw = true)] JsonElement? Type
);
