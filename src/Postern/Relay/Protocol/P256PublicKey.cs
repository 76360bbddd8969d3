using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Postern.Relay.Protocol;

/// <summary>
/// A public key of a relay or a plane. Its text is the base64url of the uncompressed point (65 bytes, 87 letters), so
/// each key has one spelling. A point that is not on the curve is refused.
/// </summary>
internal sealed class P256PublicKey
{
    public const int Size = 65;
    public const int TextLength = 87;
    private const int Half = 32;

    /// <summary>How many keys of others are kept, so that they are not read again for each message.</summary>
    private const int MostKept = 1024;

    private static readonly ConcurrentDictionary<string, P256PublicKey> Kept = new(StringComparer.Ordinal);

    private readonly byte[] _point;
    private readonly ECDsa _verifier;
    private readonly Lock _verifying = new();
    private readonly Lazy<ECDiffieHellmanPublicKey> _peer;

    private P256PublicKey(byte[] point)
    {
        _point = point;
        // This also checks that the point is on the curve.
        _verifier = ECDsa.Create(ParametersOf(point));
        _peer = new Lazy<ECDiffieHellmanPublicKey>(() => PeerOf(_point));
        Text = Base64Url.EncodeToString(point);
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(point))[..32];
    }

    public string Text { get; }

    /// <summary>The first 128 bits of the key's SHA-256, in hex. An enrolment code pins it.</summary>
    public string Fingerprint { get; }

    /// <summary>The short name of a key that is already known: the beginning of its fingerprint.</summary>
    public string Id => Fingerprint[..16];

    /// <summary>The uncompressed point.</summary>
    public ReadOnlySpan<byte> Point => _point;

    /// <summary>
    /// The key, for somebody who agrees on a secret with its owner. It is thread-safe: nothing changes it.
    /// </summary>
    public ECDiffieHellmanPublicKey Peer => _peer.Value;

    public static P256PublicKey Of(ECParameters parameters) => new(PointOf(parameters));

    /// <summary>The uncompressed point of a key pair.</summary>
    public static byte[] PointOf(ECParameters parameters) => [4, .. parameters.Q.X!, .. parameters.Q.Y!];

    /// <summary>
    /// A key that was checked before it was stored. The newest ones are kept: to read a key costs as much as to use it.
    /// </summary>
    public static P256PublicKey OfStored(string text)
    {
        if (Kept.TryGetValue(text, out var kept))
            return kept;
        if (Kept.Count >= MostKept)
            Kept.Clear();
        return Kept[text] = TryParse(text) ?? throw new InvalidOperationException("A stored key of a plane is none.");
    }

    /// <summary>Reads a point, to agree on a secret with its owner.</summary>
    /// <exception cref="CryptographicException">It is not on the curve.</exception>
    public static ECDiffieHellmanPublicKey PeerOf(ReadOnlySpan<byte> point)
    {
        using var key = ECDiffieHellman.Create(ParametersOf(point));
        return key.PublicKey;
    }

    /// <summary>Returns null when the text is no point of the curve, or is spelt in another way.</summary>
    public static P256PublicKey? TryParse(string? text) =>
        text?.Length == TextLength
        && Base64Url.IsValid(text)
        && Base64Url.DecodeFromChars(text) is var point
        && Base64Url.EncodeToString(point) == text
            ? TryParse(point)
            : null;

    public static P256PublicKey? TryParse(ReadOnlySpan<byte> point)
    {
        if (point.Length != Size || point[0] != 4)
            return null;
        try
        {
            return new P256PublicKey(point.ToArray());
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>Returns whether this key made a signature of 64 bytes over these bytes.</summary>
    public bool IsSigner(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> signature)
    {
        if (signature.Length != 2 * Half)
            return false;
        lock (_verifying)
            return _verifier.VerifyData(
                bytes,
                signature,
                HashAlgorithmName.SHA256,
                DSASignatureFormat.IeeeP1363FixedFieldConcatenation
            );
    }

    private static ECParameters ParametersOf(ReadOnlySpan<byte> point) =>
        new()
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint { X = point[1..(1 + Half)].ToArray(), Y = point[(1 + Half)..].ToArray() },
        };
}
