using System.Security.Cryptography;
using System.Text;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace Postern.Access;

/// <summary>Computes message authentication codes and handles public keys. Comparisons take constant time.</summary>
internal static class SignatureMath
{
    public const int MaxCandidates = 16;
    public const int MaxKeyCandidates = 2;

    /// <summary>Computes one HMAC for each secret, and compares it with all signatures.</summary>
    public static bool AnyMatches(
        IReadOnlyList<string> secrets,
        string algorithm,
        ReadOnlySpan<byte> head,
        ReadOnlySpan<byte> body,
        ReadOnlySpan<byte> tail,
        List<byte[]> signatures
    )
    {
        if (signatures.Count == 0)
            return false;
        Span<byte> expected = stackalloc byte[SizeOf(algorithm)];
        var valid = false;
        foreach (var secret in secrets.Take(Signatures.MaxSecrets))
        {
            Mac(algorithm, Encoding.UTF8.GetBytes(secret), head, body, tail, expected);
            foreach (var signature in signatures)
                valid |= CryptographicOperations.FixedTimeEquals(signature, expected);
        }
        return valid;
    }

    /// <summary>The bytes of a code.</summary>
    public static int SizeOf(string algorithm) =>
        algorithm switch
        {
            "sha1" => HMACSHA1.HashSizeInBytes,
            "sha512" => HMACSHA512.HashSizeInBytes,
            _ => HMACSHA256.HashSizeInBytes,
        };

    public static void Mac(
        string algorithm,
        ReadOnlySpan<byte> key,
        ReadOnlySpan<byte> head,
        ReadOnlySpan<byte> body,
        ReadOnlySpan<byte> tail,
        Span<byte> into
    )
    {
        using var mac = IncrementalHash.CreateHMAC(
            algorithm switch
            {
                "sha1" => HashAlgorithmName.SHA1,
                "sha512" => HashAlgorithmName.SHA512,
                _ => HashAlgorithmName.SHA256,
            },
            key
        );
        mac.AppendData(head);
        mac.AppendData(body);
        mac.AppendData(tail);
        mac.GetHashAndReset(into);
    }

    public static bool IsByKey(byte[] key, List<byte[]> signatures, byte[] signed)
    {
        var valid = false;
        if (key.Length != Ed25519.PublicKeySize)
            return false;
        foreach (var signature in signatures.Take(MaxKeyCandidates))
            valid |=
                signature.Length == Ed25519.SignatureSize
                && Ed25519.Verify(signature, 0, key, 0, signed, 0, signed.Length);
        return valid;
    }

    public static List<byte[]> Decode(IEnumerable<string> texts, bool base64)
    {
        var decoded = new List<byte[]>();
        foreach (var text in texts)
        {
            if (base64 && Base64(text) is { } bytes)
                decoded.Add(bytes);
            else if (
                !base64
                && text.Length is > 0 and <= 1024
                && text.Length % 2 == 0
                && text.All(char.IsAsciiHexDigit)
            )
                decoded.Add(Convert.FromHexString(text));
        }
        return decoded;
    }

    public static byte[]? Base64(string text)
    {
        var bytes = new byte[(text.Length + 3) / 4 * 3];
        return text.Length is > 0 and <= 1024 && Convert.TryFromBase64String(text, bytes, out var length) && length > 0
            ? bytes[..length]
            : null;
    }

    public static string Digest(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body, ReadOnlySpan<byte> tail)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(head);
        hash.AppendData(body);
        hash.AppendData(tail);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
