using System.Security.Cryptography;
using System.Text;

namespace Postern.Access;

/// <summary>
/// Seals secrets that must be read again (AES-256-GCM): root keys, which sign tokens, and the signing secrets of
/// agents, endpoints and callbacks. It comes from <c>POSTERN_MASTER_KEY</c>, else from the file <c>master.key</c> (mode
/// 0600) beside the embedded database. A sealed value is bound to its owner: moved to another row it does not open.
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
    /// Stored in the database, so that a wrong master key is reported at the start and not when the first secret fails
    /// to open.
    /// </summary>
    public byte[] Fingerprint { get; }

    /// <summary>
    /// Whether its text was too short. It is accepted only for a database that is already sealed with it.
    /// </summary>
    public bool IsWeak { get; }

    /// <summary>
    /// The least length of a key that cannot be guessed; the file that is made here has 44 characters.
    /// </summary>
    public const int LeastCharacters = 32;

    /// <summary>Returns whether a text is too short, or comes from a file that was cut off.</summary>
    public static bool IsTooShort(string text) => text.Trim().Length < LeastCharacters;

    /// <summary>
    /// Makes a master key from a text of at least 32 characters. SHA-256 turns any text into 256 bits.
    /// </summary>
    public static MasterKey FromText(string text) =>
        new(SHA256.HashData(Encoding.UTF8.GetBytes(text.Trim())), IsTooShort(text));

    /// <summary>
    /// Reads the file, or makes it with a random key, mode 0600, and flushes it to disk before it is used.
    /// </summary>
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
    /// Returns a digest that is useless without this key, for secrets that are looked up and never read again.
    /// </summary>
    public byte[] DigestOf(string secret, string purpose) =>
        HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(purpose + "\0" + secret));

    public byte[] Protect(string secret, string belongsTo)
    {
        var plain = Encoding.UTF8.GetBytes(secret);
        var result = new byte[NonceSize + TagSize + plain.Length];
        RandomNumberGenerator.Fill(result.AsSpan(0, NonceSize));
        // One cipher object for each call, because it is not thread-safe.
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
    /// Sealed under another master key, for another owner, or damaged.</exception>
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
