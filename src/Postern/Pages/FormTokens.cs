using System.Buffers.Text;
using System.Security.Cryptography;

namespace Postern.Pages;

/// <summary>
/// How the token of a session's forms stands in a page: under a mask that is new each time. Pages are compressed, and
/// the length of what is compressed says something of what repeats in it; a token that is never the same twice repeats
/// nothing.
/// </summary>
internal static class FormTokens
{
    /// <summary>The token, masked.</summary>
    public static string Write(string token)
    {
        var plain = Base64Url.DecodeFromChars(token);
        var both = new byte[2 * plain.Length];
        var mask = both.AsSpan(0, plain.Length);
        RandomNumberGenerator.Fill(mask);
        for (var i = 0; i < plain.Length; i++)
            both[plain.Length + i] = (byte)(plain[i] ^ mask[i]);
        return Base64Url.EncodeToString(both);
    }

    /// <summary>Whether what a form carries is this token, under whatever mask.</summary>
    public static bool Is(string given, string token)
    {
        var plain = Base64Url.DecodeFromChars(token);
        var both = new byte[2 * plain.Length];
        if (
            given.Length != Base64Url.GetEncodedLength(both.Length)
            || !Base64Url.IsValid(given)
            || !Base64Url.TryDecodeFromChars(given, both, out var length)
            || length != both.Length
        )
            return false;
        var unmasked = new byte[plain.Length];
        for (var i = 0; i < plain.Length; i++)
            unmasked[i] = (byte)(both[i] ^ both[plain.Length + i]);
        return CryptographicOperations.FixedTimeEquals(unmasked, plain);
    }
}
