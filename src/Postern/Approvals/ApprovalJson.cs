using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;
using Postern.Runs;

namespace Postern.Approvals;

/// <summary>Approvals as they go out: payload and response as the bytes that came.</summary>
internal static class ApprovalJson
{
    /// <summary>What asking answers.</summary>
    public static byte[] Asked(Approval a, string? url) => Render(json =>
    {
        json.WriteString("approval_request_id", a.Id);
        json.WriteString("approval_request_url", url);
        json.WriteString("status", a.Status);
        json.WriteString("expires_at", Wire.Iso(a.ExpiresAt));
        json.WriteString("payload_hash", a.PayloadHash);
    });

    /// <summary>What whoever waits for it reads: the question's state and, once there is one, the answer.</summary>
    public static byte[] Status(Approval a, string? url) => Render(json =>
    {
        json.WriteString("status", a.Status);
        json.WriteString("approval_request_id", a.Id);
        json.WriteNumber("round", a.Round);
        if (a.Response is not null) RunJson.Raw(json, "response", a.Response);
        if (a.Feedback is not null) json.WriteString("feedback", a.Feedback);
        if (a.DecidedBy is not null) json.WriteString("decided_by", a.DecidedBy);
        if (url is not null) json.WriteString("request_url", url);
        json.WriteString("requested_at", Wire.Iso(a.RequestedAt));
        if (a.DecidedAt is not null) json.WriteString("responded_at", Wire.Iso(a.DecidedAt));
        json.WriteString("expires_at", Wire.Iso(a.ExpiresAt));
    });

    /// <summary>All of it, for those who look after what waits.</summary>
    /// <param name="url">Where the person is asked, for who may know it.</param>
    public static void Write(Utf8JsonWriter json, Approval a, long now, string? url)
    {
        json.WriteStartObject();
        json.WriteString("approval_request_id", a.Id);
        json.WriteString("execution_id", a.Run);
        json.WriteNumber("round", a.Round);
        json.WriteString("agent", a.Agent);
        json.WriteString("session_id", a.Session);
        json.WriteString("status", a.Status);
        json.WriteString("service", a.Service);
        json.WriteString("title", a.Title);
        json.WriteString("description", a.Description);
        RunJson.Raw(json, "payload", a.Payload);
        json.WriteString("payload_hash", a.PayloadHash);
        json.WritePropertyName("options");
        if (a.Options is null) json.WriteNullValue();
        else json.WriteRawValue(a.Options, skipInputValidation: true);
        json.WriteString("on_reject", a.OnReject);
        json.WriteString("request_url", url);
        json.WriteString("asked_with", a.AskedWith);
        json.WriteString("asked_by", a.AskedBy);
        json.WriteString("requested_at", Wire.Iso(a.RequestedAt));
        json.WriteString("expires_at", Wire.Iso(a.ExpiresAt));
        json.WriteNumber("waited_seconds", ((a.DecidedAt ?? now) - a.RequestedAt) / 1_000_000);
        json.WriteString("responded_at", Wire.Iso(a.DecidedAt));
        json.WriteString("decided_with", a.DecidedWith);
        json.WriteString("decided_by", a.DecidedBy);
        json.WriteString("feedback", a.Feedback);
        RunJson.Raw(json, "response", a.Response);
        json.WriteEndObject();
    }

    public static byte[] Render(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, Wire.WriterOptions))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}

/// <summary>The shapes, for the document.</summary>
internal sealed record AskedView(
    [Member("The question's id.")]
    [property: JsonPropertyName("approval_request_id")]
    string ApprovalRequestId,
    [Member("Where the person is asked, for who may know it.")]
    [property: JsonPropertyName("approval_request_url")]
    string? ApprovalRequestUrl,
    [Member("pending, or what has become of it.")] string Status,
    [At("When the question expires.")]
    [property: JsonPropertyName("expires_at")]
    string ExpiresAt,
    [Member("The payload's digest.")]
    [property: JsonPropertyName("payload_hash")]
    string? PayloadHash);

internal sealed record ApprovalStatusView(
    [Word(
        "What has become of it.",
        Approval.Pending, Decision.Approved, Decision.Rejected,
        Decision.RequestChanges, Decision.Expired, Decision.Cancelled)]
    string Status,
    [Member("The question's id.")]
    [property: JsonPropertyName("approval_request_id")]
    string ApprovalRequestId,
    [Member("The number of the question in its run, from 1.")] long Round,
    [Member("What the answer says beside the decision.", MayBeAbsent = true)] JsonElement? Response,
    [Member("What the person wrote.", MayBeAbsent = true)] string? Feedback,
    [Member("Who decided.", MayBeAbsent = true)]
    [property: JsonPropertyName("decided_by")]
    string? DecidedBy,
    [Member("Where the person is asked, for who may know it.", MayBeAbsent = true)]
    [property: JsonPropertyName("request_url")]
    string? RequestUrl,
    [At("When it was asked.")]
    [property: JsonPropertyName("requested_at")]
    string RequestedAt,
    [At("When it was decided.", MayBeAbsent = true)]
    [property: JsonPropertyName("responded_at")]
    string? RespondedAt,
    [At("When the question expires.")]
    [property: JsonPropertyName("expires_at")]
    string ExpiresAt);

internal sealed record ApprovalView(
    [Member("The question's id.")]
    [property: JsonPropertyName("approval_request_id")]
    string ApprovalRequestId,
    [Member("The run that waits.")]
    [property: JsonPropertyName("execution_id")]
    string ExecutionId,
    [Member("The number of the question in its run, from 1.")] long Round,
    [Member("The run's agent.")] string Agent,
    [Member("The run's session.")]
    [property: JsonPropertyName("session_id")]
    string? SessionId,
    [Word(
        "What has become of it.",
        Approval.Pending, Decision.Approved, Decision.Rejected,
        Decision.RequestChanges, Decision.Expired, Decision.Cancelled)]
    string Status,
    [Member("The approval service that may decide.")] string Service,
    [Member("What is asked, in one line.")] string? Title,
    [Member("What is asked, at length.")] string? Description,
    [Member("What is decided about. Null in lists.")] JsonElement? Payload,
    [Member("The payload's digest.")]
    [property: JsonPropertyName("payload_hash")]
    string? PayloadHash,
    [Chosen("Choices to show.", "array", "object")] JsonElement? Options,
    [Word("What a rejection does to the run.", Approval.Cancel, Approval.Continue)]
    [property: JsonPropertyName("on_reject")]
    string OnReject,
    [Member("Where the person is asked, for who may know it.")]
    [property: JsonPropertyName("request_url")]
    string? RequestUrl,
    [Member("The kind of credential that asked.")]
    [property: JsonPropertyName("asked_with")]
    string AskedWith,
    [Member("Who asked.")]
    [property: JsonPropertyName("asked_by")]
    string AskedBy,
    [At("When it was asked.")]
    [property: JsonPropertyName("requested_at")]
    string RequestedAt,
    [At("When the question expires.")]
    [property: JsonPropertyName("expires_at")]
    string ExpiresAt,
    [Member("Seconds from the question to its answer, or to now.")]
    [property: JsonPropertyName("waited_seconds")]
    long WaitedSeconds,
    [At("When it was decided.")]
    [property: JsonPropertyName("responded_at")]
    string? RespondedAt,
    [Member("How it was decided.")]
    [property: JsonPropertyName("decided_with")]
    string? DecidedWith,
    [Member("Who decided.")]
    [property: JsonPropertyName("decided_by")]
    string? DecidedBy,
    [Member("What the person wrote.")] string? Feedback,
    [Member("What the answer says beside the decision. Null in lists.")] JsonElement? Response);
