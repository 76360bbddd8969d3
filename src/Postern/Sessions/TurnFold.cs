using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>
/// Folds the records that an agent streamed in one turn (AI SDK UI message chunks) into the one assistant message that the
/// transcript keeps: text deltas joined by their text part, tool calls and their results, in the order in which each began.
/// </summary>
internal sealed class TurnFold
{
    private readonly List<Action<Utf8JsonWriter>> _blocks = [];
    private string? _id;
    private readonly Dictionary<string, StringBuilder> _texts = new(StringComparer.Ordinal);

    public void Add(Record record)
    {
        if (record.Body.Length == 0) return;
        using var envelope = JsonDocument.Parse(record.Body);
        var data = envelope.RootElement.GetProperty("data");
        if (data.ValueKind == JsonValueKind.String) AddText(Fields.TextOf(data) ?? "");
        else AddChunk(data);
    }

    /// <summary>The message, or null when nothing was said.</summary>
    public ChatMessage? Message => _blocks.Count == 0 ? null : ChatMessage.Assistant(_blocks) with { ClientId = _id };

    /// <summary>The text of a delta chunk, or null for any other: what a follower of the history sees of a text still being made.</summary>
    public static string? DeltaOf(JsonElement data) =>
        data.ValueKind == JsonValueKind.Object && TextOf(data, "type") == "text-delta" ? TextOf(data, "delta") ?? TextOf(data, "text") : null;

    /// <summary>A record appended as text may hold a chunk as JSON; any other text is no part of the answer.</summary>
    private void AddText(string text)
    {
        if (!text.AsSpan().TrimStart().StartsWith("{")) return;
        try
        {
            using var json = JsonDocument.Parse(text);
            AddChunk(json.RootElement);
        }
        catch (JsonException)
        {
            // Not a chunk: it was streamed to whoever listens, and that is all.
        }
    }

    private void AddChunk(JsonElement chunk)
    {
        if (chunk.ValueKind != JsonValueKind.Object) return;
        switch (TextOf(chunk, "type"))
        {
            case "start":
                _id ??= ChatMessage.IdOf(chunk, "messageId");
                break;
            case "text-start":
                _texts.Remove(TextOf(chunk, "id") ?? "");
                break;
            case "text-delta" when DeltaOf(chunk) is { Length: > 0 } delta:
                TextPart(TextOf(chunk, "id") ?? "").Append(delta);
                break;
            case "tool-input-available":
                var call = (Id: TextOf(chunk, "toolCallId"), Name: TextOf(chunk, "toolName"), Input: Copy(chunk, "input"));
                _blocks.Add(json =>
                {
                    json.WriteStartObject();
                    json.WriteString("type", "toolCall");
                    json.WriteString("id", call.Id);
                    json.WriteString("name", call.Name);
                    WriteJson(json, "arguments", call.Input);
                    json.WriteEndObject();
                });
                break;
            case "tool-output-available":
                var result = (Id: TextOf(chunk, "toolCallId"), Output: Copy(chunk, "output"));
                _blocks.Add(json =>
                {
                    json.WriteStartObject();
                    json.WriteString("type", "toolResult");
                    json.WriteString("toolCallId", result.Id);
                    WriteJson(json, "output", result.Output);
                    json.WriteEndObject();
                });
                break;
            case "error":
                var error = TextOf(chunk, "errorText") ?? "error";
                _blocks.Add(json =>
                {
                    json.WriteStartObject();
                    json.WriteString("type", "error");
                    json.WriteString("text", error);
                    json.WriteEndObject();
                });
                break;
        }
    }

    private StringBuilder TextPart(string id)
    {
        if (_texts.TryGetValue(id, out var text)) return text;
        text = _texts[id] = new StringBuilder();
        _blocks.Add(json => ChatMessage.WriteText(json, text.ToString()));
        return text;
    }

    private static string? TextOf(JsonElement chunk, string name) =>
        chunk.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? Fields.TextOf(value) : null;

    private static byte[]? Copy(JsonElement chunk, string name) => chunk.TryGetProperty(name, out var value) ? JsonSerializer.SerializeToUtf8Bytes(value, Wire.Json) : null;

    private static void WriteJson(Utf8JsonWriter json, string name, byte[]? value)
    {
        json.WritePropertyName(name);
        if (value is null) json.WriteNullValue();
        else json.WriteRawValue(value, skipInputValidation: true);
    }
}
