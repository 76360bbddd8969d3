using System.Buffers.Text;
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

    /// <summary>The first 128 bits of the key's SHA-256, in hex. An enrolment code pins it.</summary>
    public string Fingerprint { get; }

    /// <summary>The short name of a key that is already known: the beginning of its fingerprint.</summary>
    public string Id => Fingerprint[..16];

    /// <summary>The uncompressed point.</summary>
    public ReadOnlySpan<byte> Point => _point;

    public static P256PublicKey Of(ECParameters parameters) => new([4, .. parameters.Q.X!, .. parameters.Q.Y!]);

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

    public ECParameters ToParameters() =>
        new()
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint { X = _point[1..(1 + Half)], Y = _point[(1 + Half)..] },
        };
}
