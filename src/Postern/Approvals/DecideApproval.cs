using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Approvals;

[Strict]
internal sealed record DecideApproval(
    [Chosen(
        "approved, rejected, request_changes or expired, or a word that means one of them.",
        "string",
        IsRaw = true
    )]
        JsonElement Decision,
    [Text("Why, for people.", 0, 65_536)] string? Reason,
    [AnyJson("What the answer says beside the decision: any JSON of at most 256 KiB.", MaxBytes = 256 * 1024)]
        JsonElement? Response,
    [Text("The question that the person has seen: another one is not decided.", 1, Approval.MaxId)]
    [property: JsonPropertyName("approval_request_id")]
        string? ApprovalRequestId,
    [Text("The digest of the payload that the person has seen.", 1, 256)]
    [property: JsonPropertyName("payload_hash")]
        string? PayloadHash
);
