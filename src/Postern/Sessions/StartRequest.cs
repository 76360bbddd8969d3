using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>A checked request to start a session. JSON members keep their original text.</summary>
/// <param name="Asked">The request.</param>
/// <param name="TriggerConfig">Its configuration, with what the record does not name.</param>
/// <param name="HasMessage">Whether it begins with something to do.</param>
/// <param name="Message">What it begins with, when that is a message.</param>
internal sealed record StartRequest(StartSession Asked, string TriggerConfig, bool HasMessage, ChatMessage? Message)
{
    public string? ExternalId => Asked.ExternalId;

    public string Agent => Asked.TaskIdentifier;

    public byte[] BasePayload => JsonSerializer.SerializeToUtf8Bytes(Asked.TriggerConfig.BasePayload, Wire.Json);

    /// <summary>Returns the session with the requested changes; everything else stays as it is.</summary>
    public Session Over(Session session) =>
        session with
        {
            TriggerConfig = TriggerConfig,
            Tags = Asked.Tags is { } tags ? JsonSerializer.Serialize(tags, Wire.Json) : session.Tags,
            Metadata = Asked.Metadata?.GetRawText() ?? session.Metadata,
            ExpiresAt = Asked.ExpiresAt ?? session.ExpiresAt,
        };

    public static Checked<StartRequest> Read(Fields fields, bool asUser)
    {
        var asked = fields.Read<StartSession>();
        if (asked.ExternalId is { } externalId && Session.Validate(externalId) is { } problem)
            fields.Fault("externalId", problem);
        var config = fields.Part("triggerConfig")?.Mended();
        if (fields.Refusal() is { } wrong)
            return wrong;
        var chat = asked.TriggerConfig.BasePayload;
        var hasMessage =
            chat.TryGetProperty("trigger", out var trigger)
            && trigger.ValueKind == JsonValueKind.String
            && trigger.GetString() is "submit-message" or "regenerate-message" or "action";
        return new StartRequest(
            asked,
            config!.Value.GetRawText(),
            hasMessage,
            hasMessage ? ChatMessage.Read(chat, asUser) : null
        );
    }
}
