using System.Buffers;
using System.Text;
using System.Text.Json;
using Postern.Http;
using Postern.Sessions;

namespace Postern.History;

/// <summary>Writes a message in the form of history.</summary>
internal static class MessageJson
{
    /// <summary>The UTF-16 units of one text that are shown, unless the whole is requested.</summary>
    public const int DisplayCap = 8000;
    private const string CutMark = "\n...(truncated)...";

    public static void Write(Utf8JsonWriter json, Message message, bool full)
    {
        json.WriteStartObject();
        json.WriteString("role"u8, message.Role);
        json.WritePropertyName("content"u8);
        var cut = false;
        // A content with fewer bytes than the limit contains no text over it.
        if (full || message.Content.Length <= DisplayCap)
            json.WriteRawValue(message.Content, skipInputValidation: true);
        else
            cut = WriteCapped(json, message.Content);
        json.WriteNumber("timestamp"u8, message.At / 1000);
        if (message.Run is not null)
            json.WriteString("runId"u8, message.Run);
        json.WriteStartObject("__openclaw"u8);
        json.WriteString("id"u8, message.Id);
        json.WriteNumber("seq"u8, message.Seq);
        if (cut)
        {
            json.WriteBoolean("truncated"u8, true);
            json.WriteString("reason"u8, "display-cap"u8);
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static bool WriteCapped(Utf8JsonWriter json, byte[] content)
    {
        using var document = JsonDocument.Parse(content, Wire.Kept);
        var cut = false;
        json.WriteStartArray();
        foreach (var block in document.RootElement.EnumerateArray())
        {
            if (
                block.ValueKind != JsonValueKind.Object
                || !block.TryGetProperty("text", out var value)
                || value.ValueKind != JsonValueKind.String
                || JsonText.Of(value) is not { Length: > DisplayCap } text
            )
            {
                block.WriteTo(json);
                continue;
            }
            cut = true;
            // Never cut inside a code point: a high surrogate at the edge is cut too.
            var length = char.IsHighSurrogate(text[DisplayCap - 1]) ? DisplayCap - 1 : DisplayCap;
            json.WriteStartObject();
            foreach (var member in block.EnumerateObject())
            {
                if (member.NameEquals("text"))
                    json.WriteString("text", text[..length] + CutMark);
                else
                    member.WriteTo(json);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        return cut;
    }

    /// <summary>Returns the event of one committed message.</summary>
    public static byte[] Frame(string key, Message message, bool full)
    {
        var data = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(data, Wire.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("sessionKey"u8, key);
            json.WritePropertyName("message"u8);
            Write(json, message, full);
            json.WriteString("messageId"u8, message.Id);
            json.WriteNumber("messageSeq"u8, message.Seq);
            json.WriteEndObject();
        }
        return
        [
            .. Encoding.ASCII.GetBytes($"event: message\nid: {message.Seq}\ndata: "),
            .. data.WrittenSpan,
            .. "\n\n"u8,
        ];
    }
}
