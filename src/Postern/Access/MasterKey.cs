using System.Security.Cryptography;
using System.Text;

namespace Postern.Access;

/// <summary>
/// What secrets that must be read again are sealed with (AES-256-GCM): root keys, which sign tokens, and the signing
/// secrets of agents, endpoints and callbacks. It comes from <c>POSTERN_MASTER_KEY</c>, else from the file
/// <c>master.key</c> (mode 0600) beside the embedded database. A sealed value is bound to what it belongs to: moved to
/// another row it does not open.
/// </summary>
internal sealed class MasterKey
{
    private const int NonceSize = 12;
    private const int TagSize = 16;
    private readonly byte[] _key;

    private MasterKey(byte[] key, bool isWeak)
    {
        (_key, IsWeak) = (key, isWeak);
        Fingerprint = HMACSHA256.HashData(key, "postern master key"u8);
    }

    /// <summary>
    /// Kept in the database, so that a wrong master key is told at start and not when the first secret fails to open.
    /// </summary>
    public byte[] Fingerprint { get; }

    /// <summary>Made of a text that is too short: only a database that is sealed with it already is served.</summary>
    public bool IsWeak { get; }

    /// <summary>Characters of a key that cannot be guessed; the file that is made here has 44.</summary>
    public const int LeastCharacters = 32;

    /// <summary>Returns whether a text is too short to be one, or a file that was cut off.</summary>
    public static bool IsTooShort(string text) => text.Trim().Length < LeastCharacters;

    /// <summary>From a text of at least 32 characters (any text: it is stretched to 256 bits by SHA-256).</summary>
    public static MasterKey FromText(string text) =>
        new(SHA256.HashData(Encoding.UTF8.GetBytes(text.Trim())), IsTooShort(text));

    /// <summary>Reads the file, or makes it with a random key, mode 0600, on disk before it is used.</summary>
    public static MasterKey FromFile(string file)
    {
        if (!File.Exists(file))
        {
            using var made = File.Open(
                file,
                new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                }
            );
            made.Write(Encoding.ASCII.GetBytes(Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)) + "\n"));
            made.Flush(flushToDisk: true);
        }
        return FromText(File.ReadAllText(file));
    }

    /// <summary>
    /// A digest that is of no use without this key: for secrets that are looked up and never read again.
    /// </summary>
    public byte[] DigestOf(string secret, string purpose) =>
        HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(purpose + "\0" + secret));

    public byte[] Protect(string secret, string belongsTo)
    {
        var plain = Encoding.UTF8.GetBytes(secret);
        var result = new byte[NonceSize + TagSize + plain.Length];
        RandomNumberGenerator.Fill(result.AsSpan(0, NonceSize));
        // One cipher a call: an instance is not safe for two threads.
        using var aes = new AesGcm(_key, TagSize);
        aes.Encrypt(
            result.AsSpan(0, NonceSize),
            plain,
            result.AsSpan(NonceSize + TagSize),
            result.AsSpan(NonceSize, TagSize),
            Encoding.UTF8.GetBytes(belongsTo)
        );
        return result;
    }

    /// <exception cref="CryptographicException">
    /// Sealed under another master key, for another owner, or damaged.
    /// </exception>
    public string Unprotect(byte[] sealedSecret, string belongsTo)
    {
        var plain = new byte[sealedSecret.Length - NonceSize - TagSize];
        using var aes = new AesGcm(_key, TagSize);
        aes.Decrypt(
            sealedSecret.AsSpan(0, NonceSize),
            sealedSecret.AsSpan(NonceSize + TagSize),
            sealedSecret.AsSpan(NonceSize, TagSize),
            plain,
            Encoding.UTF8.GetBytes(belongsTo)
        );
        return Encoding.UTF8.GetString(plain);
    }
}
