using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Access;
using Postern.Http;

namespace Postern.Approvals;

/// <param name="ExpiresInHours">Over 0, at most 8760; fractions are allowed.</param>
/// <param name="OnReject">What a refusal does to the run: cancel or continue.</param>
[Strict]
internal sealed record AskApproval(
    [Text("The asking service's own id. Without one the server makes one, and serves a page.", 1, 255)]
    [property: JsonPropertyName("approval_request_id")]
        string? ApprovalRequestId,
    [Text("Where the person is asked; only with an approval_request_id.", 1, 2048)]
    [property: JsonPropertyName("approval_request_url")]
        string? ApprovalRequestUrl,
    [Text("The URL that is told the answer.", 1, 2048)]
    [property: JsonPropertyName("callback_url")]
        string? CallbackUrl,
    [Whole("Hours until the question expires; more than 0.", 0, 8760, Default = 72)]
    [property: JsonPropertyName("expires_in_hours")]
        decimal ExpiresInHours,
    [Text("The approval service that may decide.", 1, ApprovalServices.MaxName)] string? Service,
    [Text("What is asked, in one line.", 1, 300)] string? Title,
    [Text("What is asked, at length.", 1, 10_000)] string? Description,
    [Member("What is decided about: any JSON of at most 256 KiB.")] JsonElement? Payload,
    [Text("The payload's digest; without one the server makes it: SHA-256 of the bytes, in hex.", 1, 256)]
    [property: JsonPropertyName("payload_hash")]
        string? PayloadHash,
    [Word("What a rejection does to the run.", Approval.Cancel, Approval.Continue, Default = "cancel")]
    [property: JsonPropertyName("on_reject")]
        string OnReject,
    [Chosen("Choices to show, of at most 16 KiB.", "array", "object")] JsonElement? Options
);
