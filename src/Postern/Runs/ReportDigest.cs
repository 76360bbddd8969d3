using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Runs;

/// <summary>
/// Decides whether two reports with one id are equal: a digest of a canonical form after RFC 8785. Members are sorted
/// by their UTF-16 units. A null field counts as absent. Instants and numbers are compared by value, everything else by
/// type and text. Unlike the RFC, numbers keep every digit rather than the precision of a double, so that two large
/// different numbers stay different.
/// </summary>
internal static class ReportDigest
{
    private const long MaxExponent = 1_000_000_000_000;

    /// <param name="members">The fields that mean something; null ones are left out.</param>
    public static byte[] Of(params ReadOnlySpan<(string Name, object? Value)> members)
    {
        var form = new ArrayBufferWriter<byte>(256);
        form.Write("{"u8);
        var first = true;
        var sorted = members.ToArray();
        Array.Sort(sorted, static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        foreach (var (name, value) in sorted)
        {
            if (value is null)
                continue;
            if (!first)
                form.Write(","u8);
            first = false;
            WriteText(form, name);
            form.Write(":"u8);
            switch (value)
            {
                case string text:
                    WriteText(form, text);
                    break;
                case long number:
                    form.Write(Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture)));
                    break;
                case JsonElement json:
                    Write(form, json, dropNulls: json.ValueKind == JsonValueKind.Object);
                    break;
                default:
                    throw new NotSupportedException("A report's field is text, a number or JSON.");
            }
        }
        form.Write("}"u8);
        return SHA256.HashData(form.WrittenSpan);
    }

    /// <summary>Returns the canonical form of a JSON value, for tests and for comparing by hand.</summary>
    public static string FormOf(JsonElement value)
    {
        var form = new ArrayBufferWriter<byte>();
        Write(form, value, dropNulls: false);
        return Encoding.UTF8.GetString(form.WrittenSpan);
    }

    /// <summary>
    /// Returns a number by its value: digits without zeros at the ends, and an exponent. <c>1</c>, <c>1.0</c>,
    /// <c>1e0</c> and <c>10E-1</c> give the same.
    /// </summary>
    public static string NumberForm(string raw)
    {
        var text = raw.AsSpan();
        var negative = text[0] == '-';
        if (negative)
            text = text[1..];
        var exponent = 0L;
        var mark = text.IndexOfAny('e', 'E');
        if (mark >= 0)
        {
            // No real report has such an exponent, so here only the spelling is compared.
            if (
                !long.TryParse(
                    text[(mark + 1)..],
                    NumberStyles.AllowLeadingSign,
                    CultureInfo.InvariantCulture,
                    out exponent
                ) || exponent is > MaxExponent or < -MaxExponent
            )
                return raw;
            text = text[..mark];
        }
        var point = text.IndexOf('.');
        var digits = point < 0 ? text.ToString() : string.Concat(text[..point], text[(point + 1)..]);
        if (point >= 0)
            exponent -= text.Length - point - 1;
        digits = digits.TrimStart('0');
        var significant = digits.TrimEnd('0');
        if (significant.Length == 0)
            return "0";
        exponent += digits.Length - significant.Length;
        return $"{(negative ? "-" : "")}{significant}e{exponent.ToString(CultureInfo.InvariantCulture)}";
    }

    private static void Write(ArrayBufferWriter<byte> form, JsonElement value, bool dropNulls)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                WriteObject(form, value, dropNulls);
                break;
            case JsonValueKind.Array:
                WriteList(form, value);
                break;
            case JsonValueKind.String:
                WriteText(form, JsonText.Of(value) ?? value.GetRawText());
                break;
            case JsonValueKind.Number:
                form.Write(Encoding.ASCII.GetBytes(NumberForm(value.GetRawText())));
                break;
            default:
                form.Write(Encoding.ASCII.GetBytes(value.GetRawText()));
                break;
        }
    }

    private static void WriteObject(ArrayBufferWriter<byte> form, JsonElement value, bool dropNulls)
    {
        var members = value
            .EnumerateObject()
            .Where(m => !dropNulls || m.Value.ValueKind != JsonValueKind.Null)
            .OrderBy(m => m.Name, StringComparer.Ordinal);
        form.Write("{"u8);
        foreach (var (place, member) in members.Index())
        {
            if (place > 0)
                form.Write(","u8);
            WriteText(form, member.Name);
            form.Write(":"u8);
            Write(form, member.Value, dropNulls: false);
        }
        form.Write("}"u8);
    }

    private static void WriteList(ArrayBufferWriter<byte> form, JsonElement value)
    {
        form.Write("["u8);
        foreach (var (place, item) in value.EnumerateArray().Index())
        {
            if (place > 0)
                form.Write(","u8);
            Write(form, item, dropNulls: false);
        }
        form.Write("]"u8);
    }

    private static void WriteText(ArrayBufferWriter<byte> form, string text) =>
        form.Write(JsonSerializer.SerializeToUtf8Bytes(text, Wire.Json));
}
