using System.Buffers;
using System.Text.Json;
using Postern.Http;
using Postern.Runs;

namespace Postern.Approvals;

/// <summary>Writes approvals. Payload and response are written with their original bytes.</summary>
internal static class ApprovalJson
{
    /// <summary>The answer to asking.</summary>
    public static byte[] Asked(Approval a, string? url) =>
        Render(json =>
        {
            json.WriteString("approval_request_id", a.Id);
            json.WriteString("approval_request_url", url);
            json.WriteString("status", a.Status);
            json.WriteString("expires_at", Wire.Iso(a.ExpiresAt));
            json.WriteString("payload_hash", a.PayloadHash);
        });

    /// <summary>The view for the one who waits: the state and, once there is one, the answer.</summary>
    public static byte[] Status(Approval a, string? url) =>
        Render(json =>
        {
            json.WriteString("status", a.Status);
            json.WriteString("approval_request_id", a.Id);
            json.WriteNumber("round", a.Round);
            if (a.Response is not null)
                RunJson.Raw(json, "response", a.Response);
            if (a.Feedback is not null)
                json.WriteString("feedback", a.Feedback);
            if (a.DecidedBy is not null)
                json.WriteString("decided_by", a.DecidedBy);
            if (url is not null)
                json.WriteString("request_url", url);
            json.WriteString("requested_at", Wire.Iso(a.RequestedAt));
            if (a.DecidedAt is not null)
                json.WriteString("responded_at", Wire.Iso(a.DecidedAt));
            json.WriteString("expires_at", Wire.Iso(a.ExpiresAt));
        });

    /// <summary>The whole question, for people who manage them.</summary>
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
        if (a.Options is null)
            json.WriteNullValue();
        else
            json.WriteRawValue(a.Options, skipInputValidation: true);
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
