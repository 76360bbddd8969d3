using System.Buffers;
using System.Numerics;
using System.Security.Cryptography;

namespace Postern.Access;

/// <summary>
/// The text of a key: <c>pst_&lt;kind&gt;_&lt;id&gt;_&lt;secret&gt;_&lt;check&gt;</c>. The id may be logged. The secret
/// is 32 random bytes in base 62. The check is a CRC-32C of everything before it: a mistyped key is refused without a
/// look-up, and secret scanners can recognise the form.
/// </summary>
internal readonly record struct ApiKey(string Kind, string Id, string Text)
{
    private const string Base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private const int SecretLetters = 43;
    private const int CheckLetters = 6;

    /// <summary>The longest text that is read: a foreign prefix, kind, 26 letters of id, secret, check.</summary>
    private const int MaxLength = 128;
    private static readonly SearchValues<char> Alphabet = SearchValues.Create(Base62);

    /// <summary>Prefixes that unmodified clients of another product require; the key follows them.</summary>
    public static readonly string[] ForeignPrefixes = ["tr_pat_", "tr_dev_", "tr_prod_"];

    public static readonly string[] Kinds = ["root", "live", "pat"];

    public static ApiKey Generate(string kind, string id)
    {
        var bare = id[(id.IndexOf('_', StringComparison.Ordinal) + 1)..];
        var body = $"pst_{kind}_{bare}_{ToBase62(RandomNumberGenerator.GetBytes(32), SecretLetters)}";
        Span<char> check = stackalloc char[CheckLetters];
        WriteCheck(body, check);
        return new ApiKey(kind, "key_" + bare, $"{body}_{check}");
    }

    /// <summary>Returns null for any text that is not a key with a right check; then nothing is looked up.</summary>
    public static ApiKey? TryParse(ReadOnlySpan<char> presented)
    {
        if (presented.Length > MaxLength)
            return null;
        foreach (var prefix in ForeignPrefixes)
        {
            if (!presented.StartsWith(prefix, StringComparison.Ordinal))
                continue;
            presented = presented[prefix.Length..];
            break;
        }
        Span<Range> parts = stackalloc Range[6];
        if (presented.Split(parts, '_') != 5 || !presented[parts[0]].SequenceEqual("pst"))
            return null;
        foreach (var part in parts[1..5])
            if (presented[part].IsEmpty || presented[part].ContainsAnyExcept(Alphabet))
                return null;
        var body = presented[..parts[3].End.Value];
        Span<char> check = stackalloc char[CheckLetters];
        WriteCheck(body, check);
        if (!presented[parts[4]].SequenceEqual(check))
            return null;
        var kind = presented[parts[1]].ToString();
        return Kinds.Contains(kind)
            ? new ApiKey(kind, "key_" + presented[parts[2]].ToString(), presented.ToString())
            : null;
    }

    /// <summary>
    /// Returns whether a text contains something that looks like a key, whole or cut. It must not stand in a URL.
    /// </summary>
    public static bool AppearsIn(string text)
    {
        var at = text.IndexOf("pst_", StringComparison.Ordinal);
        return at >= 0 && Kinds.Any(kind => text.AsSpan(at + 4).StartsWith(kind + "_", StringComparison.Ordinal));
    }

    private static string ToBase62(byte[] bytes, int letters)
    {
        var number = new BigInteger(bytes, isUnsigned: true, isBigEndian: true);
        var text = new char[letters];
        for (var i = letters - 1; i >= 0; i--)
        {
            text[i] = Base62[(int)(number % 62)];
            number /= 62;
        }
        return new string(text);
    }

    /// <summary>Every request with a key runs this, so it allocates nothing.</summary>
    private static void WriteCheck(ReadOnlySpan<char> body, Span<char> check)
    {
        var crc = uint.MaxValue;
        foreach (var c in body)
            crc = BitOperations.Crc32C(crc, (byte)c);
        crc = ~crc;
        for (var i = check.Length - 1; i >= 0; i--, crc /= 62)
            check[i] = Base62[(int)(crc % 62)];
    }
}
