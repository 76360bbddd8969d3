using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>What a client asked to start, checked. JSON members are kept as the text that came.</summary>
internal sealed record StartRequest(
    string Type,
    string? ExternalId,
    string Agent,
    string TriggerConfig,
    byte[] BasePayload,
    bool HasMessage,
    ChatMessage? Message,
    string? Tags,
    string? Metadata,
    long? ExpiresAt
)
{
    public static Checked<StartRequest> Read(Fields fields, bool asUser)
    {
        var type = fields.Text("type", 1, 64, required: true);
        var externalId = fields.Text("externalId", 1, Session.MaxExternalId, trim: true);
        if (externalId is not null && Session.Validate(externalId) is { } problem)
            fields.Fault("externalId", problem);
        var agent = fields.Text("taskIdentifier", 1, 128, required: true);
        var tags = fields.Texts("tags", 10, 128);
        var metadata = fields.ContentObject("metadata");
        var expiresAt = fields.Instant("expiresAt");
        var config = fields.ContentObject("triggerConfig", required: true);
        var payload = config is { } given ? ReadConfig(given, fields) : null;
        if (fields.Refusal() is { } wrong)
            return wrong;
        var chat = payload!.Value;
        var hasMessage =
            chat.TryGetProperty("trigger", out var trigger)
            && trigger.ValueKind == JsonValueKind.String
            && trigger.GetString() is "submit-message" or "regenerate-message" or "action";
        return new StartRequest(
            type!,
            externalId,
            agent!,
            config!.Value.GetRawText(),
            JsonSerializer.SerializeToUtf8Bytes(chat, Wire.Json),
            hasMessage,
            hasMessage ? ChatMessage.Read(chat, asUser) : null,
            tags is null ? null : JsonSerializer.Serialize(tags, Wire.Json),
            metadata?.GetRawText(),
            expiresAt
        );
    }

    private static JsonElement? ReadConfig(JsonElement config, Fields faults)
    {
        var fields = new Fields(config);
        var payload = fields.Object("basePayload", required: true);
        fields.Text("machine", 1, 64);
        fields.Text("queue", 1, 128);
        fields.Text("lockToVersion", 1, 128);
        fields.Text("region", 1, 128);
        fields.Texts("tags", 10, 128);
        fields.Whole("maxAttempts", 1, 10);
        fields.Whole("maxDuration", 1, long.MaxValue);
        fields.Whole("idleTimeoutInSeconds", 1, 3600);
        fields.Text("concurrencyKey", 1, 256);
        foreach (var (field, problem) in fields.Faults)
            faults.Fault("triggerConfig." + field, problem);
        return payload;
    }
}
