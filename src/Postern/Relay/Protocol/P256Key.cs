using System.Buffers.Text;
using System.Security.Cryptography;

namespace Postern.Relay.Protocol;

/// <summary>
/// A P-256 key pair of a relay or a plane. It signs frames (ES256), or opens what was sealed to it. It is thread-safe.
/// </summary>
internal sealed class P256Key : IDisposable
{
    private readonly ECDsa _signer;
    private readonly ECDiffieHellman _opener;
    private readonly Lock _signing = new();
    private readonly Lock _opening = new();

    private P256Key(ECParameters parameters)
    {
        _signer = ECDsa.Create(parameters);
        _opener = ECDiffieHellman.Create(parameters);
        Public = P256PublicKey.Of(_signer.ExportParameters(includePrivateParameters: false));
    }

    public P256PublicKey Public { get; }

    public static P256Key Make()
    {
        using var made = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new P256Key(made.ExportParameters(includePrivateParameters: true));
    }

    /// <summary>The private number as 32 bytes, big-endian.</summary>
    /// <exception cref="CryptographicException">It is no private key of this curve.</exception>
    public static P256Key FromBytes(ReadOnlySpan<byte> d) =>
        new(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = d.ToArray() });

    /// <summary>Reads the text that <see cref="ToSecretText"/> wrote.</summary>
    public static P256Key FromSecretText(string text) => FromBytes(Base64Url.DecodeFromChars(text));

    /// <summary>The private key. It must be sealed before it is stored, and is never logged.</summary>
    public string ToSecretText()
    {
        lock (_signing)
            return Base64Url.EncodeToString(_signer.ExportParameters(includePrivateParameters: true).D);
    }

    /// <summary>Signs with ES256. The signature is r and s, together 64 bytes.</summary>
    public byte[] Sign(ReadOnlySpan<byte> bytes)
    {
        lock (_signing)
            return _signer.SignData(
                bytes,
                HashAlgorithmName.SHA256,
                DSASignatureFormat.IeeeP1363FixedFieldConcatenation
            );
    }

    /// <summary>
    /// The x-coordinate of the shared point. Keys are derived from it; it is never used as a key itself.
    /// </summary>
    /// <param name="point">The other side's public key, uncompressed.</param>
    /// <exception cref="CryptographicException">The point is not on the curve.</exception>
    public byte[] AgreeWith(ReadOnlySpan<byte> point)
    {
        using var theirs = P256PublicKey.PeerOf(point);
        lock (_opening)
            return _opener.DeriveRawSecretAgreement(theirs);
    }

    public void Dispose()
    {
        _signer.Dispose();
        _opener.Dispose();
    }
}
