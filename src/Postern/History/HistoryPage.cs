using System.Buffers;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Http;
using Postern.Sessions;

namespace Postern.History;

/// <summary>What was asked of a history, checked.</summary>
/// <param name="Before">Messages with a smaller number; null: the newest window.</param>
/// <param name="After">Messages with a larger number, oldest first; null: backwards.</param>
internal sealed record HistoryQuery(int Limit, long? Before, long? After, bool Lean, bool Full, bool Deltas)
{
    public const int MaxLimit = 1000;
    private const int StandardLimit = 100;

    public static (HistoryQuery? Query, Refusal? Refusal) Read(IQueryCollection query)
    {
        var limit = StandardLimit;
        if (query.TryGetValue("limit", out var asked))
        {
            if (!IsDigits(asked)) return (null, Refusal.BadRequest("limit must be a positive integer"));
            // Larger clamps, however large: the number may not fit any type.
            limit = asked.ToString().TrimStart('0') is var digits && digits.Length > 4 ? MaxLimit : digits.Length == 0 ? 0 : Math.Min(int.Parse(digits), MaxLimit);
            if (limit == 0) return (null, Refusal.BadRequest("limit must be a positive integer"));
        }
        long? before = null;
        if (query.TryGetValue("cursor", out asked))
        {
            var text = asked.ToString();
            if (!TryNumber(text.StartsWith("seq:", StringComparison.Ordinal) ? text[4..] : text, out var number) || number == 0) return (null, Refusal.BadRequest("cursor must be a positive integer"));
            before = number;
        }
        long? after = null;
        if (query.TryGetValue("after", out asked))
        {
            if (!TryNumber(asked.ToString(), out var number)) return (null, Refusal.BadRequest("after must be a non-negative integer"));
            if (before is not null) return (null, Refusal.BadRequest("cursor and after exclude each other"));
            after = number;
        }
        return (new HistoryQuery(limit, before, after, query["fields"] == "items", query["full"] == "1", query["deltas"] == "1"), null);
    }

    private static bool IsDigits(string? text) => !string.IsNullOrEmpty(text) && text.All(char.IsAsciiDigit);

    private static bool TryNumber(string text, out long number) => long.TryParse(text, System.Globalization.NumberStyles.None, null, out number);
}

/// <summary>A rendered page: the JSON body as it goes out, and its ETag. Rendered once for all who ask for the same.</summary>
internal sealed class HistoryPage(ReadOnlyMemory<byte> json, int size, string etag, long lastSeq)
{
    private byte[]? _gzipped;

    /// <summary>Bytes that the body takes in memory, with what is unused of its buffer.</summary>
    public int Size { get; } = size;

    public ReadOnlyMemory<byte> Json { get; } = json;

    public string ETag { get; } = etag;

    /// <summary>The newest number in the page, or what it was asked from: where a stream goes on.</summary>
    public long LastSeq { get; } = lastSeq;

    /// <summary>The body gzipped.</summary>
    /// <param name="isFirst">This call's copy is the one that the page keeps.</param>
    public byte[] Gzip(out bool isFirst)
    {
        isFirst = false;
        if (Volatile.Read(ref _gzipped) is { } there) return there;
        var made = Compress();
        var kept = Interlocked.CompareExchange(ref _gzipped, made, null);
        isFirst = kept is null;
        return kept ?? made;
    }

    public static HistoryPage Render(string key, List<Message> messages, bool hasMore, long? nextCursor, HistoryQuery query, long lastSeq)
    {
        var list = new ArrayBufferWriter<byte>(messages.Count * 320 + 64);
        using (var json = new Utf8JsonWriter(list, Wire.WriterOptions))
        {
            json.WriteStartArray();
            foreach (var message in messages) MessageJson.Write(json, message, query.Full);
            json.WriteEndArray();
        }
        var body = new ArrayBufferWriter<byte>((list.WrittenCount * (query.Lean ? 1 : 2)) + key.Length + 256);
        using (var json = new Utf8JsonWriter(body, Wire.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("sessionKey"u8, key);
            // The same array under both names: clients read one or the other.
            json.WritePropertyName("items"u8);
            json.WriteRawValue(list.WrittenSpan, skipInputValidation: true);
            if (!query.Lean)
            {
                json.WritePropertyName("messages"u8);
                json.WriteRawValue(list.WrittenSpan, skipInputValidation: true);
            }
            json.WriteBoolean("hasMore"u8, hasMore);
            if (hasMore && nextCursor is { } next) json.WriteString("nextCursor"u8, next.ToString());
            json.WriteEndObject();
        }
        return new HistoryPage(body.WrittenMemory, body.Capacity, ETagOf(query, body.WrittenSpan), lastSeq);
    }

    /// <summary>Of what was asked and what is answered: equal tags mean equal pages, after a restore too.</summary>
    private static string ETagOf(HistoryQuery query, ReadOnlySpan<byte> body)
    {
        var asked = $"{query.Limit} {query.Before} {query.After} {query.Lean} {query.Full}\n";
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.ASCII.GetBytes(asked));
        hash.AppendData(body);
        return "\"" + Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 12)) + "\"";
    }

    private byte[] Compress()
    {
        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.Fastest)) gzip.Write(Json.Span);
        return buffer.ToArray();
    }
}

/// <summary>A message as history shows it.</summary>
internal static class MessageJson
{
    /// <summary>UTF-16 units of one text that are shown unless the whole is asked for.</summary>
    public const int DisplayCap = 8000;
    private const string CutMark = "\n...(truncated)...";

    public static void Write(Utf8JsonWriter json, Message message, bool full)
    {
        json.WriteStartObject();
        json.WriteString("role"u8, message.Role);
        json.WritePropertyName("content"u8);
        var cut = false;
        // A content of fewer bytes than the cap holds no text over it.
        if (full || message.Content.Length <= DisplayCap) json.WriteRawValue(message.Content, skipInputValidation: true);
        else cut = WriteCapped(json, message.Content);
        json.WriteNumber("timestamp"u8, message.At / 1000);
        if (message.Run is not null) json.WriteString("runId"u8, message.Run);
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
            if (block.ValueKind != JsonValueKind.Object || !block.TryGetProperty("text", out var value) || value.ValueKind != JsonValueKind.String || Fields.TextOf(value) is not { Length: > DisplayCap } text)
            {
                block.WriteTo(json);
                continue;
            }
            cut = true;
            // Never inside a code point: a high surrogate at the edge goes with its half.
            var length = char.IsHighSurrogate(text[DisplayCap - 1]) ? DisplayCap - 1 : DisplayCap;
            json.WriteStartObject();
            foreach (var member in block.EnumerateObject())
            {
                if (member.NameEquals("text")) json.WriteString("text", text[..length] + CutMark);
                else member.WriteTo(json);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        return cut;
    }

    /// <summary>The event of one committed message.</summary>
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
        return [.. Encoding.ASCII.GetBytes($"event: message\nid: {message.Seq}\ndata: "), .. data.WrittenSpan, .. "\n\n"u8];
    }
}
