using System.Buffers.Text;
using System.Text;

namespace Postern.Relay.Protocol;

/// <summary>
/// The signature <c>S(kind, bytes)</c>: ES256 over <c>postern-relay/1 kind</c>, a line feed and the bytes, in
/// base64url. A signature of one kind is not valid for another kind.
/// </summary>
internal static class RelaySignature
{
    public const string Connect = "connect";
    public const string ToPlane = "to-plane";
    public const string ToRelay = "to-relay";
    public const string Refusal = "refusal";

    /// <summary>Letters of a signature.</summary>
    public const int Length = 86;

    public static string Sign(P256Key key, string kind, ReadOnlySpan<byte> bytes) =>
        Base64Url.EncodeToString(key.Sign(Signed(kind, bytes)));

    /// <summary>Signs lines of text, joined by line feeds.</summary>
    public static string Sign(P256Key key, string kind, params ReadOnlySpan<string> lines) =>
        Sign(key, kind, Lines(lines));

    public static bool IsBy(P256PublicKey key, string kind, string signature, ReadOnlySpan<byte> bytes) =>
        signature.Length == Length
        && Base64Url.IsValid(signature)
        && key.IsSigner(Signed(kind, bytes), Base64Url.DecodeFromChars(signature));

    public static bool IsBy(P256PublicKey key, string kind, string signature, params ReadOnlySpan<string> lines) =>
        IsBy(key, kind, signature, Lines(lines));

    /// <summary>Joins the lines. No value can pretend to be two lines, because none may contain a line feed.</summary>
    /// <exception cref="ArgumentException">One of them does.</exception>
    public static byte[] Lines(params ReadOnlySpan<string> lines)
    {
        foreach (var line in lines)
            if (line.Contains('\n', StringComparison.Ordinal))
                throw new ArgumentException("A line that is signed holds a line feed.", nameof(lines));
        return Encoding.UTF8.GetBytes(string.Join('\n', lines!));
    }

    private static byte[] Signed(string kind, ReadOnlySpan<byte> bytes) =>
        [.. Encoding.ASCII.GetBytes($"postern-relay/1 {kind}\n"), .. bytes];
}
