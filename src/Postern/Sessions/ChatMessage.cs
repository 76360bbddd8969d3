using System.Buffers;
using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>A message in the form of the transcript: the role, and the content as a JSON array of blocks.</summary>
internal sealed record ChatMessage(string Role, byte[] Content)
{
    /// <summary>The longest id that a client may give a message. A longer one is ignored.</summary>
    private const int MaxClientId = 256;

    /// <summary>The id that its client or agent gave it; null without one.</summary>
    public string? ClientId { get; init; }

    /// <summary>
    /// Used only when the message comes back (<see cref="ReturnedMessage"/>); a message that a client sends never keeps
    /// it.
    /// </summary>
    public bool OnlyMerges { get; init; }

    public static readonly string[] Roles = ["user", "assistant", "toolResult", "system"];

    private static readonly string[] ServerTypes = ["approval", "refusal"];

    /// <summary>
    /// Returns the message of a chat payload (<c>message</c>, or the last of <c>messages</c>), or null when it contains
    /// none.
    /// </summary>
    /// <param name="payload">The payload of a chat record.</param>
    /// <param name="asUser">
    /// Whoever sends it speaks as the user: the role is not the body's to choose. An assistant's message that comes
    /// back from a client (with what its own tools gave) is in the transcript already: it is merged there, or left out.
    /// </param>
    public static ChatMessage? Read(JsonElement payload, bool asUser = false)
    {
        var message =
            payload.TryGetProperty("message", out var one) && one.ValueKind == JsonValueKind.Object ? Of(one)
            : payload.TryGetProperty("messages", out var list)
            && list.ValueKind == JsonValueKind.Array
            && list.GetArrayLength() > 0
                ? Of(list[list.GetArrayLength() - 1])
            : null;
        if (!asUser || message is null)
            return message;
        return message.Role == "assistant" ? message with { OnlyMerges = true } : message with { Role = "user" };
    }

    /// <summary>
    /// The types of blocks that only the server may write: questions to a person, decisions, refusals.
    /// </summary>
    /// <remarks>Every member of that name is read: of two that differ, a reader may take either.</remarks>
    public static bool IsOfServer(JsonElement block) =>
        block.ValueKind == JsonValueKind.Object
        && block.EnumerateObject().Any(m => m.NameEquals("type") && IsServerType(m.Value));

    private static bool IsServerType(JsonElement type) =>
        type.ValueKind == JsonValueKind.String && ServerTypes.Any(t => type.ValueEquals(t));

    public static void WriteText(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("type", "text");
        json.WriteString("text", text);
        json.WriteEndObject();
    }

    private static ChatMessage? Of(JsonElement message)
    {
        if (message.ValueKind != JsonValueKind.Object)
            return null;
        var isNamed = message.TryGetProperty("role", out var named) && named.ValueKind == JsonValueKind.String;
        var role = isNamed ? named.GetString()! : "user";
        if (!Roles.Contains(role, StringComparer.Ordinal) || ContentOf(message) is not { } content)
            return null;
        // Only an assistant's message ever comes back.
        return new ChatMessage(role, content) { ClientId = role == "assistant" ? IdOf(message, "id") : null };
    }

    /// <summary>Returns the blocks, or null when there are none.</summary>
    private static byte[]? ContentOf(JsonElement message)
    {
        if (!message.TryGetProperty("parts", out var content) && !message.TryGetProperty("content", out content))
            return null;
        return content.ValueKind switch
        {
            JsonValueKind.String => Write(json => WriteText(json, MendedJson.TextOf(content))),
            JsonValueKind.Array => Write(json => WriteParts(json, content)),
            _ => null,
        };
    }

    /// <summary>Returns the id that a client gave a message, if it is valid.</summary>
    public static string? IdOf(JsonElement holder, string member)
    {
        if (!holder.TryGetProperty(member, out var id) || id.ValueKind != JsonValueKind.String)
            return null;
        var text = JsonText.Of(id);
        return text is { Length: > 0 and <= MaxClientId } ? text : null;
    }

    /// <summary>
    /// Text parts become text blocks, without the state of the sender's user interface. A part without text is left
    /// out. Other parts stay as they came.
    /// </summary>
    private static void WriteParts(Utf8JsonWriter json, JsonElement parts)
    {
        foreach (var part in parts.EnumerateArray())
        {
            if (part.ValueKind != JsonValueKind.Object || IsOfServer(part))
                continue;
            part.TryGetProperty("type", out var type);
            if (type.ValueKind != JsonValueKind.String || !type.ValueEquals("text"))
                part.WriteTo(json);
            else if (part.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String)
                WriteText(json, MendedJson.TextOf(text));
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
