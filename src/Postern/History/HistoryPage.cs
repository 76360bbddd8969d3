using System.Buffers;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Http;
using Postern.Sessions;

namespace Postern.History;

/// <summary>
/// A rendered page: the JSON body as it goes out, and its ETag. Rendered once for all who ask for the same.
/// </summary>
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
        if (Volatile.Read(ref _gzipped) is { } there)
            return there;
        var made = Compress();
        var kept = Interlocked.CompareExchange(ref _gzipped, made, null);
        isFirst = kept is null;
        return kept ?? made;
    }

    public static HistoryPage Render(
        string key,
        List<Message> messages,
        bool hasMore,
        long? nextCursor,
        HistoryQuery query,
        long lastSeq
    )
    {
        var list = new ArrayBufferWriter<byte>(messages.Count * 320 + 64);
        using (var json = new Utf8JsonWriter(list, Wire.WriterOptions))
        {
            json.WriteStartArray();
            foreach (var message in messages)
                MessageJson.Write(json, message, query.Full);
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
            if (hasMore && nextCursor is { } next)
                json.WriteString("nextCursor"u8, next.ToString());
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
        using (var gzip = new GZipStream(buffer, CompressionLevel.Fastest))
            gzip.Write(Json.Span);
        return buffer.ToArray();
    }
}
