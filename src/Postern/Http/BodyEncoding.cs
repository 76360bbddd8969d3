using System.IO.Compression;
using System.Text;
using Microsoft.Net.Http.Headers;

namespace Postern.Http;

/// <summary>
/// Decodes a text as its sender encoded it: compression (<c>Content-Encoding</c>), another charset than UTF-8, a byte
/// order mark. An unknown encoding is refused; it is never read as another one, or as empty.
/// </summary>
internal static class BodyEncoding
{
    /// <summary>
    /// The most names in a <c>Content-Encoding</c>. A body that was compressed more often is refused.
    /// </summary>
    private const int MaxCodings = 2;

    private static readonly Encoding Windows1252 = CodePagesEncodingProvider.Instance.GetEncoding(1252)!;

    /// <summary>Returns the body as UTF-8 without a byte order mark, or why it cannot be decoded.</summary>
    /// <param name="body">The bytes as they came.</param>
    /// <param name="contentType">The header, in any spelling; null when there is none.</param>
    /// <param name="contentEncoding">The values of the header.</param>
    /// <param name="limit">Bytes of the result, and of each step on the way to it.</param>
    public static Checked<ReadOnlyMemory<byte>> Undo(
        ReadOnlyMemory<byte> body,
        string? contentType,
        IEnumerable<string?> contentEncoding,
        int limit
    )
    {
        var codings = contentEncoding
            .SelectMany(v =>
                (v ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            )
            .Select(c => c.ToLowerInvariant())
            .Where(c => c != "identity")
            .Reverse()
            .ToList();
        if (codings.Count > MaxCodings || codings.Any(c => Opened(c, Stream.Null) is null))
            return Unsupported("Content-Encoding must be gzip, deflate or br");
        foreach (var coding in codings)
        {
            if (!Open(coding, body, limit).Try(out var opened, out var refusal))
                return refusal;
            body = opened;
        }
        return Decode(body, CharsetOf(contentType), limit);
    }

    private static Stream? Opened(string coding, Stream packed) =>
        coding switch
        {
            "gzip" or "x-gzip" => new GZipStream(packed, CompressionMode.Decompress),
            "br" => new BrotliStream(packed, CompressionMode.Decompress),
            "deflate" => new ZLibStream(packed, CompressionMode.Decompress),
            _ => null,
        };

    private static Checked<ReadOnlyMemory<byte>> Open(string coding, ReadOnlyMemory<byte> packed, int limit)
    {
        // By its name it has the format of zlib; some senders leave that frame out.
        var isBare =
            coding == "deflate"
            && !(
                packed.Length >= 2 && (packed.Span[0] & 15) == 8 && ((packed.Span[0] << 8) | packed.Span[1]) % 31 == 0
            );
        using var source = new MemoryStream(packed.ToArray(), writable: false);
        using var stream = isBare ? new DeflateStream(source, CompressionMode.Decompress) : Opened(coding, source)!;
        var opened = new MemoryStream();
        var buffer = new byte[16 * 1024];
        try
        {
            for (int read; (read = stream.Read(buffer)) > 0; )
            {
                if (opened.Length + read > limit)
                    return RequestBody.TooLarge;
                opened.Write(buffer, 0, read);
            }
        }
        catch (Exception fault) when (fault is InvalidDataException or IOException or InvalidOperationException)
        {
            return Malformed($"The body is not {coding}, as its Content-Encoding says");
        }
        return (ReadOnlyMemory<byte>)opened.GetBuffer().AsMemory(0, (int)opened.Length);
    }

    private static Checked<ReadOnlyMemory<byte>> Decode(ReadOnlyMemory<byte> body, string? charset, int limit)
    {
        var span = body.Span;
        // A byte order mark is more reliable than a header.
        if (span is [0xEF, 0xBB, 0xBF, ..])
            return body[3..];
        if (span is [0xFF, 0xFE, 0, 0, ..] or [0, 0, 0xFE, 0xFF, ..])
            return UnknownCharset("utf-32");
        if (span is [0xFF, 0xFE, ..])
            return Recode(Encoding.Unicode, body[2..], limit);
        if (span is [0xFE, 0xFF, ..])
            return Recode(Encoding.BigEndianUnicode, body[2..], limit);
        return DecodeAs(charset, body, limit);
    }

    private static Checked<ReadOnlyMemory<byte>> DecodeAs(string? charset, ReadOnlyMemory<byte> body, int limit) =>
        charset switch
        {
            null or "utf-8" or "utf8" or "us-ascii" or "ascii" => body,
            "utf-16le" => Recode(Encoding.Unicode, body, limit),
            "utf-16be" => Recode(Encoding.BigEndianUnicode, body, limit),
            "utf-16" => Recode(body.Span is [0, not 0, ..] ? Encoding.BigEndianUnicode : Encoding.Unicode, body, limit),
            "iso-8859-1" or "latin1" or "iso8859-1" => Recode(Encoding.Latin1, body, limit),
            "windows-1252" or "cp1252" or "cp-1252" => Recode(Windows1252, body, limit),
            _ => UnknownCharset(charset),
        };

    /// <summary>Half of a character becomes U+FFFD, and nothing around it is lost.</summary>
    private static Checked<ReadOnlyMemory<byte>> Recode(Encoding encoding, ReadOnlyMemory<byte> body, int limit)
    {
        var text = Encoding.UTF8.GetBytes(encoding.GetString(body.Span));
        return text.Length > limit ? RequestBody.TooLarge : (ReadOnlyMemory<byte>)text;
    }

    private static string? CharsetOf(string? contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out var type)
        && HeaderUtilities.RemoveQuotes(type.Charset).ToString().Trim() is { Length: > 0 } charset
            ? charset.ToLowerInvariant()
            : null;

    private static Refusal Malformed(string message) =>
        Refusal.BadRequest(message, "invalid_body") with
        {
            ShouldRetry = false,
        };

    private static Refusal UnknownCharset(string charset) =>
        Unsupported($"The charset {(charset.Length <= 40 ? charset : "of the body")} is not understood: send UTF-8");

    private static Refusal Unsupported(string message) =>
        new(415, message, "unsupported_media_type") { ShouldRetry = false };
}
