using System.Security.Cryptography;

namespace Postern.Deliveries;

/// <summary>A signing secret as Standard Webhooks spells it: <c>whsec_</c> and 24 to 64 bytes in base 64.</summary>
internal static class SigningSecret
{
    public const string Authorization = "must be whsec_ and 24 to 64 bytes in base 64";

    public static string New() => "whsec_" + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    public static bool IsOne(string text)
    {
        Span<byte> key = stackalloc byte[192];
        return text.StartsWith("whsec_", StringComparison.Ordinal)
            && Convert.TryFromBase64String(text["whsec_".Length..], key, out var length)
            && length is >= 24 and <= 64;
    }
}
