using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Access;
using Postern.Http;

namespace Postern.Approvals;

[Strict]
internal sealed record AskApproval
{
    public const long MaxHours = 8760;

    [Text("The asking service's own id. Without one the server makes one, and serves a page.", 1, Approval.MaxId)]
    [JsonPropertyName("approval_request_id")]
    public string? ApprovalRequestId { get; init; }

    [Text("Where the person is asked; only with an approval_request_id.", 1, 2048)]
    [JsonPropertyName("approval_request_url")]
    public string? ApprovalRequestUrl { get; init; }

    [Text("The URL that is told the answer.", 1, 2048)]
    [JsonPropertyName("callback_url")]
    public string? CallbackUrl { get; init; }

    [Number("Hours until the question expires; more than 0.", 0, MaxHours, IsOver = true, Default = 72)]
    [JsonPropertyName("expires_in_hours")]
    public decimal ExpiresInHours { get; init; }

    [Text("The approval service that may decide.", 1, ApprovalServices.MaxName)]
    public string? Service { get; init; }

    [Text("What is asked, in one line.", 1, 300)]
    public string? Title { get; init; }

    [Text("What is asked, at length.", 1, 10_000)]
    public string? Description { get; init; }

    [AnyJson("What is decided about: any JSON of at most 256 KiB.", MaxBytes = 256 * 1024)]
    public JsonElement? Payload { get; init; }

    [Text("The payload's digest; without one the server makes it: SHA-256 of the bytes, in hex.", 1, 256)]
    [JsonPropertyName("payload_hash")]
    public string? PayloadHash { get; init; }

    [Word("What a rejection does to the run.", Approval.Cancel, Approval.Continue, Default = "cancel")]
    [JsonPropertyName("on_reject")]
    public required string OnReject { get; init; }

    [Chosen("Choices to show, of at most 16 KiB.", "array", "object", IsMended = false, MaxBytes = 16 * 1024)]
    public JsonElement? Options { get; init; }
}
