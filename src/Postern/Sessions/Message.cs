using System.Buffers;
using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>One committed entry of the transcript. Content is a JSON array of blocks, and is sent unchanged.</summary>
internal sealed record Message(long Seq, string Id, string Role, byte[] Content, long At, string? Run)
{
    /// <summary>Writes messages in the form for agents and for clients of sessions. History has another form.</summary>
    public static byte[] RenderAll(IEnumerable<Message> messages)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, Wire.WriterOptions);
        json.WriteStartArray();
        foreach (var message in messages)
        {
            json.WriteStartObject();
            json.WriteString("id", message.Id);
            json.WriteString("role", message.Role);
            json.WritePropertyName("content");
            json.WriteRawValue(message.Content, skipInputValidation: true);
            json.WriteNumber("timestamp", message.At / 1000);
            if (message.Run is not null)
                json.WriteString("runId", message.Run);
            json.WriteNumber("seq", message.Seq);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
