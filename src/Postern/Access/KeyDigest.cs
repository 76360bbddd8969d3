using System.Security.Cryptography;
using System.Text;

namespace Postern.Access;

/// <summary>
/// The stored form of a key: a digest with a salt of its own. A bare SHA-256 of a root key could sign tokens, because
/// HMAC-SHA256 hashes keys that are longer than its block.
/// </summary>
internal static class KeyDigest
{
    public static (byte[] Salt, byte[] Digest) Of(string key)
    {
        var salt = RandomNumberGenerator.GetBytes(16);
        return (salt, HMACSHA256.HashData(salt, Encoding.UTF8.GetBytes(key)));
    }

    public static bool Matches(string key, byte[] salt, byte[] digest)
    {
        Span<byte> text = stackalloc byte[256];
        if (!Encoding.UTF8.TryGetBytes(key, text, out var length))
            return false;
        Span<byte> actual = stackalloc byte[32];
        HMACSHA256.HashData(salt, text[..length], actual);
        return CryptographicOperations.FixedTimeEquals(actual, digest);
    }
}
