using System.Buffers;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Http;
using Postern.Sessions;

namespace Postern.History;

/// <summary>A rendered page: the JSON body, and its ETag. It is rendered once for all equal requests.</summary>
internal sealed class HistoryPage(ReadOnlyMemory<byte> json, int size, string etag, long lastSeq)
{
    private byte[]? _gzipped;

    /// <summary>The memory of the body, including the unused part of its buffer.</summary>
    public int Size { get; } = size;

    public ReadOnlyMemory<byte> Json { get; } = json;

    public string ETag { get; } = etag;

    /// <summary>The newest number in the page, or the number that was asked for; a stream continues there.</summary>
    public long LastSeq { get; } = lastSeq;

    /// <summary>The body, gzipped.</summary>
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
            // The same array under two names, because clients read one or the other.
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

    /// <summary>
    /// The tag depends on the request and on the content: equal tags mean equal pages, even after a restore.
    /// </summary>
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
