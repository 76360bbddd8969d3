using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Postern.Http;

/// <summary>
/// Mends JSON as real senders write it. Half of a surrogate pair in an escape (a text that was cut inside an emoji) and
/// an escaped NUL are valid JSON by its grammar, but no Unicode text, and no database stores them. The half becomes
/// U+FFFD, the NUL is dropped, and nothing around them is lost. Only escapes can contain them: bytes that are no UTF-8,
/// or a plain NUL, are no JSON.
/// </summary>
internal static class MendedJson
{
    private const int EscapeLength = 6;

    /// <summary>Returns the text, mended; the same bytes when there is nothing to mend.</summary>
    /// <param name="json">Valid UTF-8; it need not be JSON.</param>
    public static ReadOnlyMemory<byte> Of(ReadOnlyMemory<byte> json) => Of(json, keepsNul: false);

    private static ReadOnlyMemory<byte> Of(ReadOnlyMemory<byte> json, bool keepsNul)
    {
        var from = FirstFault(json.Span);
        if (from < 0)
            return json;
        var mended = new ArrayBufferWriter<byte>(json.Length);
        var rest = json.Span;
        mended.Write(rest[..from]);
        for (var at = from; at < rest.Length; )
        {
            var next = rest[at..].IndexOf((byte)'\\');
            if (next < 0)
            {
                mended.Write(rest[at..]);
                break;
            }
            mended.Write(rest.Slice(at, next));
            at += next;
            var length = LengthOf(rest[at..], out var verdict);
            if (verdict == Verdict.Half)
                mended.Write(@"\ufffd"u8);
            else if (verdict == Verdict.Kept || keepsNul)
                mended.Write(rest.Slice(at, length));
            at += length;
        }
        return mended.WrittenMemory;
    }

    /// <summary>
    /// Returns the text with half characters mended in the names of its members, because a member with an invalid name
    /// cannot be read. Values, and text that is no JSON, stay unchanged.
    /// </summary>
    public static ReadOnlyMemory<byte> NamesOf(ReadOnlyMemory<byte> json)
    {
        if (FirstFault(json.Span) < 0)
            return json;
        var (mended, kept) = (new ArrayBufferWriter<byte>(json.Length), 0);
        var reader = new Utf8JsonReader(json.Span, new JsonReaderOptions { MaxDepth = int.MaxValue });
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName || !reader.ValueIsEscaped)
                    continue;
                var from = (int)reader.TokenStartIndex + 1;
                var name = json.Slice(from, reader.ValueSpan.Length);
                mended.Write(json.Span[kept..from]);
                mended.Write(Of(name, keepsNul: true).Span);
                kept = from + name.Length;
            }
        }
        catch (JsonException)
        {
            return json;
        }
        mended.Write(json.Span[kept..]);
        return mended.WrittenMemory;
    }

    /// <summary>
    /// Returns a value whose texts can all be stored: the same when there is nothing to mend, null when two of its
    /// names become equal by mending.
    /// </summary>
    public static JsonElement? Keepable(JsonElement value)
    {
        if (JsonText.IsKeepable(value))
            return value;
        try
        {
            using var mended = JsonDocument.Parse(
                Of(JsonMarshal.GetRawUtf8Value(value).ToArray()),
                new JsonDocumentOptions { AllowDuplicateProperties = false }
            );
            return mended.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Returns the text of a JSON string, mended.</summary>
    public static string TextOf(JsonElement value)
    {
        if (JsonText.Of(value) is { } text)
            return text;
        using var mended = JsonDocument.Parse(Of(JsonMarshal.GetRawUtf8Value(value).ToArray()));
        return mended.RootElement.GetString()!;
    }

    /// <summary>
    /// Returns the escape of the first half of a character at the end of a text; empty when it ends otherwise.
    /// </summary>
    /// <param name="text">The inside of a JSON string, or a part of one that ends behind an escape.</param>
    public static ReadOnlyMemory<byte> HalfAtTheEnd(ReadOnlyMemory<byte> text)
    {
        var at = text.Length - EscapeLength;
        if (at < 0 || CodeOf(text.Span[at..]) is not { } code || !char.IsHighSurrogate(code))
            return default;
        // An escaped backslash begins no escape.
        var backslashes = at - text.Span[..at].LastIndexOfAnyExcept((byte)'\\') - 1;
        return backslashes % 2 == 0 ? text[at..] : default;
    }

    /// <summary>Returns the start of the first escape that must be mended; -1 when there is none.</summary>
    private static int FirstFault(ReadOnlySpan<byte> json)
    {
        for (var at = 0; json[at..].IndexOf((byte)'\\') is >= 0 and var next; )
        {
            at += next;
            var length = LengthOf(json[at..], out var verdict);
            if (verdict != Verdict.Kept)
                return at;
            at += length;
        }
        return -1;
    }

    /// <summary>
    /// Returns the bytes of the escape at the beginning of a text, and its replacement. A pair of halves is one escape.
    /// </summary>
    private static int LengthOf(ReadOnlySpan<byte> escape, out Verdict verdict)
    {
        verdict = Verdict.Kept;
        if (CodeOf(escape) is not { } code)
            return Math.Min(2, escape.Length);
        if (code == 0)
            verdict = Verdict.Dropped;
        else if (char.IsLowSurrogate(code))
            verdict = Verdict.Half;
        else if (char.IsHighSurrogate(code))
        {
            if (
                escape.Length > EscapeLength
                && CodeOf(escape[EscapeLength..]) is { } second
                && char.IsLowSurrogate(second)
            )
                return 2 * EscapeLength;
            verdict = Verdict.Half;
        }
        return EscapeLength;
    }

    /// <summary>Returns the unit of a <c>\u</c> escape; null for any other text.</summary>
    private static char? CodeOf(ReadOnlySpan<byte> escape)
    {
        if (escape.Length < EscapeLength || escape[0] != '\\' || escape[1] != 'u')
            return null;
        return ushort.TryParse(
            escape.Slice(2, 4),
            NumberStyles.AllowHexSpecifier,
            CultureInfo.InvariantCulture,
            out var code
        )
            ? (char)code
            : null;
    }

    private enum Verdict
    {
        Kept,
        Half,
        Dropped,
    }
}
