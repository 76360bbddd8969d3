using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Postern.Relay.Protocol;

/// <summary>
/// HPKE of RFC 9180 in base mode, with one message for each key: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM
/// (suite 0x0010, 0x0001, 0x0001). Anybody with the public key can seal; the signature around the sealed text shows who
/// did it.
/// </summary>
internal static class Hpke
{
    private const int TagSize = 16;
    private const int KeySize = 16;
    private const int NonceSize = 12;
    private const int SecretSize = 32;

    /// <summary>How many bytes sealing adds.</summary>
    public const int Overhead = TagSize;

    private static ReadOnlySpan<byte> Version => "HPKE-v1"u8;
    private static ReadOnlySpan<byte> KemSuite => [(byte)'K', (byte)'E', (byte)'M', 0x00, 0x10];
    private static ReadOnlySpan<byte> Suite =>
        [(byte)'H', (byte)'P', (byte)'K', (byte)'E', 0x00, 0x10, 0x00, 0x01, 0x00, 0x01];

    /// <summary>Seals under a new key pair, whose public point is the encapsulated key.</summary>
    public static Sealed Seal(
        P256PublicKey recipient,
        ReadOnlySpan<byte> info,
        ReadOnlySpan<byte> associated,
        ReadOnlySpan<byte> plain
    ) => Seal(Agree(recipient, info), associated, plain);

    /// <summary>
    /// The costly half of <see cref="Seal(P256PublicKey,ReadOnlySpan{byte},ReadOnlySpan{byte},ReadOnlySpan{byte})"/>,
    /// which needs nothing of the message: a key for one message.
    /// </summary>
    public static MessageKey Agree(P256PublicKey recipient, ReadOnlySpan<byte> info)
    {
        using var ephemeral = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        return Agree(ephemeral, recipient, info);
    }

    /// <summary>
    /// The other half: seals with an agreed key. A second message under the same key would reveal both.
    /// </summary>
    public static Sealed Seal(MessageKey once, ReadOnlySpan<byte> associated, ReadOnlySpan<byte> plain)
    {
        var text = new byte[plain.Length + TagSize];
        using var aes = new AesGcm(once.Key, TagSize);
        aes.Encrypt(once.Nonce, plain, text.AsSpan(0, plain.Length), text.AsSpan(plain.Length), associated);
        return new Sealed(once.Enc, text);
    }

    /// <summary>Seals under a given key pair, which must be used only once.</summary>
    internal static Sealed Seal(
        ECDiffieHellman ephemeral,
        P256PublicKey recipient,
        ReadOnlySpan<byte> info,
        ReadOnlySpan<byte> associated,
        ReadOnlySpan<byte> plain
    ) => Seal(Agree(ephemeral, recipient, info), associated, plain);

    private static MessageKey Agree(ECDiffieHellman ephemeral, P256PublicKey recipient, ReadOnlySpan<byte> info)
    {
        var enc = P256PublicKey.PointOf(ephemeral.ExportParameters(includePrivateParameters: false));
        var shared = SharedSecret(ephemeral.DeriveRawSecretAgreement(recipient.Peer), enc, recipient.Point);
        var (key, nonce) = Schedule(shared, info);
        return new MessageKey(enc, key, nonce);
    }

    /// <summary>Returns null when the text was sealed to another key or for another use, or was altered.</summary>
    public static byte[]? Open(
        P256Key recipient,
        ReadOnlySpan<byte> info,
        ReadOnlySpan<byte> associated,
        ReadOnlySpan<byte> enc,
        ReadOnlySpan<byte> text
    )
    {
        if (text.Length < TagSize || enc.Length != P256PublicKey.Size || enc[0] != 4)
            return null;
        byte[] agreed;
        try
        {
            agreed = recipient.AgreeWith(enc);
        }
        catch (CryptographicException)
        {
            return null;
        }
        var shared = SharedSecret(agreed, enc, recipient.Public.Point);
        var (key, nonce) = Schedule(shared, info);
        var plain = new byte[text.Length - TagSize];
        using var aes = new AesGcm(key, TagSize);
        try
        {
            aes.Decrypt(nonce, text[..plain.Length], text[plain.Length..], plain, associated);
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
        return plain;
    }

    /// <summary>RFC 9180, section 4.1: <c>ExtractAndExpand</c> of the agreed secret.</summary>
    internal static byte[] SharedSecret(byte[] agreed, ReadOnlySpan<byte> enc, ReadOnlySpan<byte> recipient)
    {
        var extracted = Extract(KemSuite, [], "eae_prk"u8, agreed);
        return Expand(KemSuite, extracted, "shared_secret"u8, [.. enc, .. recipient], SecretSize);
    }

    /// <summary>RFC 9180, section 5.1: the key schedule without a pre-shared key.</summary>
    internal static (byte[] Key, byte[] Nonce) Schedule(byte[] shared, ReadOnlySpan<byte> info)
    {
        byte[] context = [0x00, .. Extract(Suite, [], "psk_id_hash"u8, []), .. Extract(Suite, [], "info_hash"u8, info)];
        var secret = Extract(Suite, shared, "secret"u8, []);
        return (
            Expand(Suite, secret, "key"u8, context, KeySize),
            Expand(Suite, secret, "base_nonce"u8, context, NonceSize)
        );
    }

    private static byte[] Extract(
        ReadOnlySpan<byte> suite,
        ReadOnlySpan<byte> salt,
        ReadOnlySpan<byte> label,
        ReadOnlySpan<byte> material
    )
    {
        var extracted = new byte[SecretSize];
        byte[] labelled = [.. Version, .. suite, .. label, .. material];
        HKDF.Extract(HashAlgorithmName.SHA256, labelled, salt, extracted);
        return extracted;
    }

    private static byte[] Expand(
        ReadOnlySpan<byte> suite,
        byte[] key,
        ReadOnlySpan<byte> label,
        ReadOnlySpan<byte> info,
        int length
    )
    {
        Span<byte> size = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(size, (ushort)length);
        return HKDF.Expand(HashAlgorithmName.SHA256, key, length, [.. size, .. Version, .. suite, .. label, .. info]);
    }
}
