using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Postern.Support;

/// <summary>
/// A valid body, changed in every way that was ever reported: halves of characters and NUL in names and values, numbers
/// beyond all types, depth, repeated names, other charsets, byte order marks, compression, content types in any
/// spelling.
/// </summary>
internal static class OddBodies
{
    private const string Json = "application/json";

    /// <summary>Texts that are JSON by its grammar, but cannot be stored.</summary>
    public static readonly string[] Texts =
    [
        "before \\ud83d after",
        "\\udc00x",
        "before\\u0000 after",
        "\\u0000",
        "\\ud83d\\ud83d\\ude00",
        "\\\\\\ud83d\\\\ud83d",
    ];

    private static readonly string[] Values =
    [
        .. Texts.Select(t => $"\"{t}\""),
        """{"\ud83d":"\udc00","a\u0000":[{"\u0000":"\ud83d"}]}""",
        """["\ud83d","a\u0000b",null,{}]""",
        """{"a":1,"a\u0000":2}""",
        """{"\ud800":1,"\ud801":2}""",
        "1e400",
        "-1e-400",
        "123456789012345678901234567890",
        "1e99999999999",
        "0.1e1",
        "-0",
        "[]",
        "{}",
        "null",
        "true",
        "\"\"",
        "\"\\ufeff\\uffff\"",
        new string('[', 59) + new string(']', 59),
        Deep(60),
        Deep(62),
        Deep(63),
        Deep(5000),
        "{'a':1}",
        "\"\t\"",
        "",
    ];

    public static IEnumerable<OddBody> Of(string valid, IEnumerable<string> names)
    {
        using var json = JsonDocument.Parse(valid);
        var members = json.RootElement.EnumerateObject().Select(m => (m.Name, Raw: m.Value.GetRawText())).ToList();
        foreach (var coded in Encoded(valid))
            yield return coded;
        foreach (var name in names.Concat(members.Select(m => m.Name)).Distinct(StringComparer.Ordinal))
        {
            var others = members.Where(m => m.Name != name).ToList();
            foreach (var value in Values)
                yield return Text([.. others, (name, value)]);
            var own = members.FirstOrDefault(m => m.Name == name).Raw ?? "\"x\"";
            yield return Text([.. others, (name + "\\u0000", own)]);
            yield return Text([.. others, (name + "\\ud83d", own)]);
            yield return Text([.. others, (name, own), (name, own)]);
            yield return Text([.. others, (name, own), ($"\\u{(int)name[0]:x4}{name[1..]}", own)]);
            if (!own.StartsWith('{'))
                continue;
            using var inner = JsonDocument.Parse(own);
            foreach (var member in inner.RootElement.EnumerateObject())
            foreach (var value in Values)
                yield return Text([.. others, (name, $"{{\"{member.Name}\":{value}}}")]);
        }
    }

    /// <summary>Bodies with the same meaning, and some without any.</summary>
    private static IEnumerable<OddBody> Encoded(string valid)
    {
        var plain = Encoding.UTF8.GetBytes(valid);
        foreach (
            var type in (string[])
                [
                    Json,
                    "Application/JSON",
                    "application/json;charset=UTF-8",
                    "application/json; charset=\"utf-8\"",
                    "application/json; charset=",
                    "application/json; charset=utf-7",
                    "application/problem+json",
                ]
        )
            yield return new(plain, type);
        yield return new([0xEF, 0xBB, 0xBF, .. plain], Json);
        foreach (var charset in (string[])["utf-16", "utf-16LE", "utf-16BE", "iso-8859-1", "utf-32"])
        {
            var encoding = Encoding.GetEncoding(charset);
            yield return new(encoding.GetBytes(valid), $"{Json}; charset={charset}");
            yield return new([.. encoding.GetPreamble(), .. encoding.GetBytes(valid)], Json);
        }
        yield return new(Encoding.Latin1.GetBytes(valid.Replace("{", "{\"é\":\"ü\",", StringComparison.Ordinal)), Json);
        foreach (
            var coding in (string[])
                ["gzip", "X-GZIP", "br", "deflate", "identity", "gzip, br", "zstd", "gzip, gzip, gzip"]
        )
        {
            yield return new(Packed(plain, coding), Json, coding);
            yield return new(plain, Json, coding);
            yield return new(Packed(plain, coding)[..^Math.Min(3, plain.Length)], Json, coding);
        }
        yield return new(Packed(new byte[3_000_000], "gzip"), Json, "gzip");
        yield return new(Packed([], "gzip"), Json, "gzip");
        yield return new([], Json);
        yield return new("\ufeff"u8.ToArray(), Json);
        foreach (
            var text in (string[])
                [
                    "null",
                    "[]",
                    "\"\\ud83d\"",
                    "{",
                    "\0",
                    "{}\0",
                    "{\"\\ud800\":1}",
                    "{\"a\":\"\\ud800\"}",
                    "{\"\\u0000\":1}",
                ]
        )
            yield return Whole(text);
        yield return new([.. "{\"a\":\""u8, 0xED, 0xA0, 0xBD, .. "\"}"u8], Json);
        yield return new([.. "{\"a\":\""u8, 0xC0, 0x80, .. "\"}"u8], Json);
    }

    public static byte[] Packed(byte[] plain, string coding)
    {
        foreach (var one in coding.Split(", "))
        {
            var packed = new MemoryStream();
            using (
                Stream? stream = one.ToLowerInvariant() switch
                {
                    "gzip" or "x-gzip" => new GZipStream(packed, CompressionMode.Compress),
                    "br" => new BrotliStream(packed, CompressionMode.Compress),
                    "deflate" => new ZLibStream(packed, CompressionMode.Compress),
                    _ => null,
                }
            )
            {
                if (stream is null)
                    continue;
                stream.Write(plain);
            }
            plain = packed.ToArray();
        }
        return plain;
    }

    private static OddBody Text(IEnumerable<(string Name, string Raw)> members) =>
        Whole($"{{{string.Join(',', members.Select(m => $"\"{m.Name}\":{m.Raw}"))}}}");

    private static OddBody Whole(string text) => new(Encoding.UTF8.GetBytes(text), Json);

    private static string Deep(int levels) =>
        string.Concat(Enumerable.Repeat("{\"a\":", levels)) + "1" + new string('}', levels);
}
