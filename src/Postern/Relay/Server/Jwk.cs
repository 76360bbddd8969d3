using System.Buffers.Text;
using Postern.Http;
using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>A public key (RFC 7517).</summary>
internal sealed record Jwk(
    [Member("Always `EC`.")] string Kty,
    [Member("Always `P-256`.")] string Crv,
    [Member("The key's id.")] string Kid,
    [Member("Always `sig`.")] string Use,
    [Member("Always `ES256`.")] string Alg,
    [Member("The point's x.")] string X,
    [Member("The point's y.")] string Y
)
{
    public static Jwk Of(P256PublicKey key) =>
        new(
            "EC",
            "P-256",
            key.Id,
            "sig",
            "ES256",
            Base64Url.EncodeToString(key.Point[1..33]),
            Base64Url.EncodeToString(key.Point[33..])
        );
}
