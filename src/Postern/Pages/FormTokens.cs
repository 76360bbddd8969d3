using System.Buffers.Text;
using System.Security.Cryptography;

namespace Postern.Pages;

/// <summary>
/// Masks the token of a session's forms, with a new mask each time. Pages are compressed, and the compressed length
/// reveals whether a text repeats. A token that is always different never repeats.
/// </summary>
internal static class FormTokens
{
    /// <summary>Returns the token, masked.</summary>
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

    /// <summary>Returns whether a form's value is this token, under any mask.</summary>
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
