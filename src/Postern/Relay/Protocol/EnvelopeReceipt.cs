using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Postern.Relay.Protocol;

/// <summary>
/// The header <c>Postern-Receipt</c>: a JWS (ES256) signed by the relay. A sender keeps it in its log of deliveries; it
/// proves what the relay accepted.
/// </summary>
/// <param name="Iss">The relay.</param>
/// <param name="Sub">The plane.</param>
/// <param name="Jti">The envelope.</param>
/// <param name="Iat">When it was stored, in seconds since 1970.</param>
/// <param name="Htm">The request's method.</param>
/// <param name="Htu">The request's URL, as the sender called it, without its query.</param>
/// <param name="Bh">SHA-256 of the body, base64url.</param>
internal sealed record EnvelopeReceipt(
    string Iss,
    string Sub,
    string Jti,
    long Seq,
    long Iat,
    string Htm,
    string Htu,
    string Bh
)
{
    public static string HashOf(ReadOnlySpan<byte> body) => Base64Url.EncodeToString(SHA256.HashData(body));

    /// <summary>Returns the receipt in its compact form: visible ASCII that fits into a header.</summary>
    public string Encode(P256Key key)
    {
        var header = JsonSerializer.SerializeToUtf8Bytes(new JwsHeader("ES256", key.Public.Id), FrameHead.Json);
        var payload = JsonSerializer.SerializeToUtf8Bytes(this, FrameHead.Json);
        var signed = $"{Base64Url.EncodeToString(header)}.{Base64Url.EncodeToString(payload)}";
        return $"{signed}.{Base64Url.EncodeToString(key.Sign(Encoding.ASCII.GetBytes(signed)))}";
    }

    /// <summary>Returns null when the text is no receipt that this key has signed.</summary>
    public static EnvelopeReceipt? TryRead(string text, P256PublicKey key)
    {
        var parts = text.Split('.');
        if (text.Length > 8192 || parts.Length != 3 || !Array.TrueForAll(parts, p => Base64Url.IsValid(p)))
            return null;
        var signed = Encoding.ASCII.GetBytes(text[..text.LastIndexOf('.')]);
        if (!key.IsSigner(signed, Base64Url.DecodeFromChars(parts[2])))
            return null;
        try
        {
            var header = JsonSerializer.Deserialize<JwsHeader>(Base64Url.DecodeFromChars(parts[0]), FrameHead.Json);
            return header?.Alg == "ES256"
                ? JsonSerializer.Deserialize<EnvelopeReceipt>(Base64Url.DecodeFromChars(parts[1]), FrameHead.Json)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private sealed record JwsHeader([property: JsonPropertyName("alg")] string Alg, string Kid);
}
