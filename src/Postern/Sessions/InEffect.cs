using System.Buffers;
using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

internal enum InKind
{
    /// <summary>Any other text: kept, and a run is made sure of, but no turn is opened.</summary>
    Other,

    /// <summary>Opens or continues a turn.</summary>
    Message,

    /// <summary>Asks the run to stop the turn.</summary>
    Stop,

    /// <summary>Closes the session.</summary>
    Close,
}

/// <summary>What a record on <c>in</c> asks for, and the message that it commits to the transcript, if it holds one.</summary>
internal sealed record InEffect(InKind Kind, ChatMessage? Message)
{
    private static readonly InEffect None = new(InKind.Other, null);

    /// <summary>Reads a record's JSON. What is no chat record is <see cref="InKind.Other"/>: any text may be appended.</summary>
    /// <param name="text">The record as it came.</param>
    /// <param name="asUser">Whoever sends it speaks as the user, whatever role the message claims.</param>
    public static InEffect Read(ReadOnlyMemory<byte> text, bool asUser = false)
    {
        if (text.Length == 0 || text.Span.TrimStart(" \t\r\n"u8)[..] is not [(byte)'{', ..]) return None;
        try
        {
            using var json = JsonDocument.Parse(MendedJson.Of(text));
            return Read(json.RootElement, asUser);
        }
        catch (JsonException)
        {
            return None;
        }
    }

    /// <inheritdoc cref="Read(ReadOnlyMemory{byte}, bool)"/>
    public static InEffect Read(JsonElement data, bool asUser = false)
    {
        if (data.ValueKind == JsonValueKind.String) return Read(System.Text.Encoding.UTF8.GetBytes(MendedJson.TextOf(data)), asUser);
        if (data.ValueKind != JsonValueKind.Object || !data.TryGetProperty("kind", out var kind) || kind.ValueKind != JsonValueKind.String) return None;
        if (kind.ValueEquals("stop")) return new InEffect(InKind.Stop, null);
        if (!kind.ValueEquals("message") || !data.TryGetProperty("payload", out var payload) || payload.ValueKind != JsonValueKind.Object) return None;
        if (payload.TryGetProperty("trigger", out var trigger) && trigger.ValueKind == JsonValueKind.String && trigger.ValueEquals("close")) return new InEffect(InKind.Close, null);
        return new InEffect(InKind.Message, ChatMessage.Read(payload, asUser));
    }
}

/// <summary>A message as the transcript keeps it: the role, and the content as a JSON array of blocks.</summary>
internal sealed record ChatMessage(string Role, byte[] Content)
{
    public static readonly string[] Roles = ["user", "assistant", "toolResult", "system"];

    /// <summary>The message of a chat payload (<c>message</c>, or the last of <c>messages</c>), or null when it carries none.</summary>
    /// <param name="payload">The payload of a chat record.</param>
    /// <param name="asUser">
    /// Whoever sends it speaks as the user: the role is not the body's to choose. An assistant's message that comes back from a client (with what
    /// its own tools gave) is in the transcript already, and is not said once more by the user.
    /// </param>
    public static ChatMessage? Read(JsonElement payload, bool asUser = false)
    {
        var message = payload.TryGetProperty("message", out var one) && one.ValueKind == JsonValueKind.Object ? Of(one)
            : payload.TryGetProperty("messages", out var list) && list.ValueKind == JsonValueKind.Array && list.GetArrayLength() > 0 ? Of(list[list.GetArrayLength() - 1]) : null;
        if (!asUser || message is null) return message;
        return message.Role == "assistant" ? null : message with { Role = "user" };
    }

    /// <summary>Blocks that only the server writes: what was asked of a person and decided, what was refused.</summary>
    public static bool IsOfServer(JsonElement block) =>
        block.ValueKind == JsonValueKind.Object && block.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && (type.ValueEquals("approval") || type.ValueEquals("refusal"));

    public static void WriteText(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("type", "text");
        json.WriteString("text", text);
        json.WriteEndObject();
    }

    private static ChatMessage? Of(JsonElement message)
    {
        if (message.ValueKind != JsonValueKind.Object) return null;
        var role = message.TryGetProperty("role", out var named) && named.ValueKind == JsonValueKind.String ? named.GetString() : "user";
        if (!Roles.Contains(role, StringComparer.Ordinal)) return null;
        var content = message.TryGetProperty("parts", out var parts) ? parts : message.TryGetProperty("content", out var plain) ? plain : default;
        return content.ValueKind switch
        {
            JsonValueKind.String => new ChatMessage(role!, Write(json => WriteText(json, MendedJson.TextOf(content)))),
            JsonValueKind.Array => new ChatMessage(role!, Write(json => WriteParts(json, content))),
            _ => null,
        };
    }

    /// <summary>Text parts become text blocks, without what the sender's interface kept in them; other parts stand as they came.</summary>
    private static void WriteParts(Utf8JsonWriter json, JsonElement parts)
    {
        foreach (var part in parts.EnumerateArray())
        {
            if (part.ValueKind != JsonValueKind.Object || IsOfServer(part)) continue;
            if (part.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("text") && part.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String)
                WriteText(json, MendedJson.TextOf(text));
            else part.WriteTo(json);
        }
    }

    public static byte[] Write(Action<Utf8JsonWriter> blocks)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, Wire.WriterOptions);
        json.WriteStartArray();
        blocks(json);
        json.WriteEndArray();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
