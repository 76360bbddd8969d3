using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Approvals;

[Strict]
internal sealed record DecideApproval(
    [Member("approved, rejected, request_changes or expired, or a word that means one of them.")] string Decision,
    [Text("Why, for people.", 0, 65_536)] string? Reason,
    [Member("What the answer says beside the decision: any JSON of at most 256 KiB.")] JsonElement? Response,
    [Text("The question that the person has seen: another one is not decided.", 1, 255)]
    [property: JsonPropertyName("approval_request_id")]
        string? ApprovalRequestId,
    [Text("The digest of the payload that the person has seen.", 1, 256)]
    [property: JsonPropertyName("payload_hash")]
        string? PayloadHash
);
