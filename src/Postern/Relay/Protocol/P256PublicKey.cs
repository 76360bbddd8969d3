using System.Buffers.Text;
using System.Security.Cryptography;

namespace Postern.Relay.Protocol;

/// <summary>
/// A public key of a relay or a plane. Its text is the base64url of the uncompressed point (65 bytes, 87 letters): one
/// spelling for each key. A point that is not on the curve is no key.
/// </summary>
internal sealed class P256PublicKey
{
    public const int Size = 65;
    public const int TextLength = 87;
    private const int Half = 32;
    private readonly byte[] _point;
    private readonly ECDsa _verifier;
    private readonly Lock _verifying = new();

    private P256PublicKey(byte[] point)
    {
        _point = point;
        _verifier = ECDsa.Create(ToParameters());
        Text = Base64Url.EncodeToString(point);
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(point))[..32];
    }

    public string Text { get; }

    /// <summary>128 bits of the key's SHA-256, in hex: what an enrolment code pins.</summary>
    public string Fingerprint { get; }

    /// <summary>What names the key where it is known already: the beginning of its fingerprint.</summary>
    public string Id => Fingerprint[..16];

    /// <summary>The uncompressed point.</summary>
    public ReadOnlySpan<byte> Point => _point;

    public static P256PublicKey Of(ECParameters parameters) => new([4, .. parameters.Q.X!, .. parameters.Q.Y!]);

    /// <summary>Returns null for what is no point of the curve, or is spelt otherwise.</summary>
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

    /// <summary>Whether a signature of 64 bytes is this key's, over these bytes.</summary>
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

    public ECParameters ToParameters() =>
        new()
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint { X = _point[1..(1 + Half)], Y = _point[(1 + Half)..] },
        };
}
