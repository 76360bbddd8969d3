using System.Security.Cryptography;
using System.Text;

namespace Postern.Relay.Protocol;

/// <summary>
/// Seals questions, answers and outcomes between a server and a person, through a relay that cannot read them. Each
/// kind has a key of its own, derived from the secret of the link (HKDF-SHA-256; secret and page as they stand in the
/// link). The cipher is AES-256-GCM: 12 random bytes, the text, the tag. Plane, page and version (in an answer, its
/// nonce) are bound into the seal: with others it does not open. The text is padded to whole KiB, so that its length
/// tells little. The script of the page does the same (<c>approve.js</c>).
/// </summary>
internal static class PageSeal
{
    public const string Question = "question";
    public const string Answer = "answer";
    public const string Outcome = "outcome";

    /// <summary>How many bytes a seal adds to the padded text.</summary>
    public const int Overhead = NonceSize + TagSize;

    private const int NonceSize = 12;
    private const int TagSize = 16;
    private const int KeySize = 32;
    private const int Block = 1024;

    /// <param name="link">Whose secret it is sealed under.</param>
    /// <param name="kind">One of the three.</param>
    /// <param name="bound">The version; in an answer, its nonce.</param>
    /// <param name="json">What is sealed.</param>
    public static byte[] Seal(PageLink link, string kind, string bound, ReadOnlySpan<byte> json) =>
        Seal(link, kind, bound, json, RandomNumberGenerator.GetBytes(NonceSize));

    /// <summary>Does the same with a given nonce. For test vectors only.</summary>
    internal static byte[] Seal(
        PageLink link,
        string kind,
        string bound,
        ReadOnlySpan<byte> json,
        ReadOnlySpan<byte> nonce
    )
    {
        var padded = new byte[Math.Max(1, (json.Length + Block - 1) / Block) * Block];
        padded.AsSpan().Fill((byte)' ');
        json.CopyTo(padded);
        var made = new byte[NonceSize + padded.Length + TagSize];
        nonce.CopyTo(made);
        using var cipher = new AesGcm(KeyOf(link, kind), TagSize);
        cipher.Encrypt(
            nonce,
            padded,
            made.AsSpan(NonceSize, padded.Length),
            made.AsSpan(NonceSize + padded.Length),
            Associated(link, bound)
        );
        return made;
    }

    /// <summary>
    /// Returns null when the text was not sealed with this link, as this kind, for this version or nonce.
    /// </summary>
    public static byte[]? TryOpen(PageLink link, string kind, string bound, ReadOnlySpan<byte> text)
    {
        if (text.Length < Overhead)
            return null;
        var plain = new byte[text.Length - Overhead];
        using var cipher = new AesGcm(KeyOf(link, kind), TagSize);
        try
        {
            cipher.Decrypt(
                text[..NonceSize],
                text[NonceSize..^TagSize],
                text[^TagSize..],
                plain,
                Associated(link, bound)
            );
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
        return plain;
    }

    private static byte[] KeyOf(PageLink link, string kind) =>
        HKDF.DeriveKey(
            HashAlgorithmName.SHA256,
            Encoding.ASCII.GetBytes(link.Secret),
            KeySize,
            Encoding.ASCII.GetBytes(link.Page),
            Encoding.ASCII.GetBytes("postern-relay/1 " + kind)
        );

    private static byte[] Associated(PageLink link, string bound) => RelaySignature.Lines(link.Plane, link.Page, bound);
}
