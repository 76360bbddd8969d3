using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

internal sealed record RecordsPage([Member("The records, in their order.")] IReadOnlyList<RecordView> Records)
{
    public static ReadOnlyMemory<byte> Render(IReadOnlyList<Record> page)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, Wire.WriterOptions);
        json.WriteStartObject();
        json.WriteStartArray("records"u8);
        foreach (var record in page)
        {
            json.WriteStartObject();
            json.WritePropertyName("data"u8);
            if (record.Body.Length == 0)
            {
                json.WriteStringValue("");
                json.WriteString("id"u8, record.Seq.ToString(CultureInfo.InvariantCulture));
            }
            else
            {
                // The envelope {"data":…,"id":"…"} is this server's own, so its members are passed on as they are
                // stored.
                var envelope = new Utf8JsonReader(record.Body, new JsonReaderOptions { MaxDepth = Wire.Kept.MaxDepth });
                json.WriteRawValue(NextValue(ref envelope, record.Body), skipInputValidation: true);
                json.WritePropertyName("id"u8);
                json.WriteRawValue(NextValue(ref envelope, record.Body), skipInputValidation: true);
            }
            json.WriteNumber("seqNum"u8, record.Seq);
            if (record.Headers is not null)
            {
                json.WritePropertyName("headers"u8);
                json.WriteRawValue(record.Headers, skipInputValidation: true);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private static ReadOnlySpan<byte> NextValue(ref Utf8JsonReader envelope, ReadOnlySpan<byte> body)
    {
        do envelope.Read();
        while (envelope.TokenType != JsonTokenType.PropertyName);
        envelope.Read();
        var start = (int)envelope.TokenStartIndex;
        envelope.Skip();
        return body[start..(int)envelope.BytesConsumed];
    }
}
