using System.Buffers.Text;
using System.Security.Cryptography;

namespace Postern.Relay.Protocol;

/// <summary>
/// The header <c>Authorization: Postern-Plane plane=…, key=…, node=…, time=…, nonce=…, signature=…</c>. It proves that
/// a request comes from the plane, was made now, for this relay, with this body.
/// </summary>
/// <param name="Key">The id of the key that signs.</param>
/// <param name="Node">Random a process: a node that connects anew replaces its own connection.</param>
/// <param name="Time">Milliseconds since 1970.</param>
/// <param name="Nonce">16 bytes, base64url.</param>
internal sealed record PlaneAuthorization(
    string Plane,
    string Key,
    string Node,
    long Time,
    string Nonce,
    string Signature
)
{
    public const string Scheme = "Postern-Plane";
    private const int NonceLength = 22;
    private const int Longest = 512;
    private static readonly string[] Names = ["plane", "key", "node", "time", "nonce", "signature"];

    /// <summary>Makes a new one, with its own nonce.</summary>
    public static PlaneAuthorization Make(P256Key key, string plane, string node, long time, HandshakeTarget target)
    {
        var nonce = NewNonce();
        var unsigned = new PlaneAuthorization(plane, key.Public.Id, node, time, nonce, "");
        return unsigned with { Signature = RelaySignature.Sign(key, RelaySignature.Connect, unsigned.Lines(target)) };
    }

    public static string NewNonce() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));

    public static bool IsNonce(string text) =>
        text.Length == NonceLength
        && Base64Url.IsValid(text)
        && Base64Url.EncodeToString(Base64Url.DecodeFromChars(text)) == text;

    /// <summary>Returns null for another scheme, or when a part is missing or repeated.</summary>
    public static PlaneAuthorization? TryParse(string? header)
    {
        if (
            header is not { Length: <= Longest }
            || !header.StartsWith(Scheme + " ", StringComparison.OrdinalIgnoreCase)
        )
            return null;
        return
            PartsOf(header[(Scheme.Length + 1)..]) is [{ } plane, { } key, { } node, { } time, { } nonce, { } signature]
            && long.TryParse(time, out var milliseconds)
            && milliseconds.ToString() == time
            && IsNonce(nonce)
            ? new PlaneAuthorization(plane, key, node, milliseconds, nonce, signature)
            : null;
    }

    /// <summary>Returns the parts ordered by name, or null when one is unknown, repeated or not plain.</summary>
    private static string?[]? PartsOf(string text)
    {
        var values = new string?[Names.Length];
        foreach (var part in text.Split(','))
        {
            var pair = part.Trim(' ').Split('=', 2);
            var at = Array.IndexOf(Names, pair[0]);
            if (at < 0 || pair.Length != 2 || values[at] is not null || !IsPlain(pair[1]))
                return null;
            values[at] = pair[1];
        }
        return values;
    }

    public bool IsBy(P256PublicKey key, HandshakeTarget target) =>
        RelaySignature.IsBy(key, RelaySignature.Connect, Signature, Lines(target));

    public override string ToString() =>
        $"{Scheme} plane={Plane}, key={Key}, node={Node}, time={Time}, nonce={Nonce}, signature={Signature}";

    private static bool IsPlain(string value) =>
        value.Length is > 0 and <= 100 && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');

    private byte[] Lines(HandshakeTarget target) =>
        RelaySignature.Lines(
            target.Method,
            target.Relay,
            target.Path,
            Plane,
            Key,
            Node,
            Time.ToString(),
            Nonce,
            Convert.ToHexStringLower(SHA256.HashData(target.Body.Span))
        );
}
