using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>Makes the blocks of an assistant's message from the chunks that an agent streams.</summary>
internal static class TurnBlocks
{
    /// <summary>The kinds of text that grow by deltas. A text is identified by its kind and id.</summary>
    public const string Text = "text:";
    public const string Reasoning = "reasoning:";

    /// <summary>Returns the beginning of a growing text's JSON; the inside of a JSON string follows.</summary>
    /// <param name="name">Its kind and id.</param>
    public static ReadOnlySpan<byte> HeadOf(string name) =>
        name.StartsWith(Reasoning, StringComparison.Ordinal)
            ? "{\"type\":\"reasoning\",\"text\":\""u8
            : "{\"type\":\"text\",\"text\":\""u8;

    public static byte[] Call(JsonElement chunk) =>
        Written(json =>
        {
            json.WriteString("type", "toolCall");
            json.WriteString("id", TextOf(chunk, "toolCallId"));
            json.WriteString("name", TextOf(chunk, "toolName"));
            WriteJson(json, "arguments", chunk, "input");
        });

    public static byte[] Result(JsonElement chunk) =>
        Written(json =>
        {
            json.WriteString("type", "toolResult");
            json.WriteString("toolCallId", TextOf(chunk, "toolCallId"));
            WriteJson(json, "output", chunk, "output");
        });

    /// <summary>
    /// The result of a failed call, in the form of a result of a client's tool (<see cref="ReturnedMessage"/>).
    /// </summary>
    /// <param name="chunk">With the text of the error, where there is one.</param>
    /// <param name="otherwise">What is said where there is none.</param>
    public static byte[] Failure(JsonElement chunk, string otherwise) =>
        Written(json =>
        {
            json.WriteString("type", "toolResult");
            json.WriteString("toolCallId", TextOf(chunk, "toolCallId"));
            json.WriteString("output", TextOf(chunk, "errorText") ?? otherwise);
            json.WriteBoolean("isError", true);
        });

    public static byte[] Error(JsonElement chunk) =>
        Written(json =>
        {
            json.WriteString("type", "error");
            json.WriteString("text", TextOf(chunk, "errorText") ?? "error");
        });

    /// <summary>A block with the given members of a chunk, if it has them.</summary>
    public static byte[] Copy(JsonElement chunk, string type, params IReadOnlyList<string> members) =>
        Written(json =>
        {
            json.WriteString("type", type);
            foreach (var member in members)
                if (chunk.TryGetProperty(member, out _))
                    WriteJson(json, member, chunk, member);
        });

    public static byte[] Note(string text) =>
        Written(json =>
        {
            json.WriteString("type", "text");
            json.WriteString("text", text);
        });

    public static string? TextOf(JsonElement chunk, string name) =>
        chunk.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? MendedJson.TextOf(value)
            : null;

    private static void WriteJson(Utf8JsonWriter json, string name, JsonElement chunk, string from)
    {
        json.WritePropertyName(name);
        if (!chunk.TryGetProperty(from, out var value))
            json.WriteNullValue();
        else
            json.WriteRawValue(MendedJson.Of(JsonMarshal.GetRawUtf8Value(value).ToArray()).Span, true);
    }

    private static byte[] Written(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, Wire.WriterOptions);
        json.WriteStartObject();
        members(json);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
