using Postern.Http;

namespace Postern.Relay.Protocol;

/// <summary>
/// The request of a plane to join a relay. The new key signs it, so that nobody can enrol a key without holding it.
/// </summary>
internal sealed record JoinRelay(
    [Text("The code's name: `prc_` and its id, without the secret.", 30, 30)] string Code,
    [Text("What the plane calls itself.", 1, 100)] string Name,
    [Text("The public key that the plane signs with.", P256PublicKey.TextLength, P256PublicKey.TextLength)] string Sign,
    [Text("The public key that is sealed to.", P256PublicKey.TextLength, P256PublicKey.TextLength)] string Open,
    [Text("16 random bytes, base64url.", 22, 22)] string Nonce,
    [Text("HMAC-SHA-256 under the code's secret.", EnrolmentProof.Length, EnrolmentProof.Length)] string Proof,
    [Text("Of the new key, over this request.", RelaySignature.Length, RelaySignature.Length)] string Signature
)
{
    public const string Path = "/relay/v1/enrolments";

    /// <summary>Makes the request that a plane sends.</summary>
    public static JoinRelay Make(EnrolmentCode code, string name, P256Key sign, P256PublicKey open)
    {
        var bare = new JoinRelay(code.Name, name, sign.Public.Text, open.Text, PlaneAuthorization.NewNonce(), "", "");
        var proven = bare with { Proof = EnrolmentProof.OfPlane(code.Secret, code.Fingerprint, bare) };
        return proven with { Signature = RelaySignature.Sign(sign, RelaySignature.Connect, proven.Lines()) };
    }

    public bool IsSignedBy(P256PublicKey sign) =>
        !Name.Contains('\n', StringComparison.Ordinal)
        && RelaySignature.IsBy(sign, RelaySignature.Connect, Signature, Lines());

    private byte[] Lines() => RelaySignature.Lines("POST", Path, Code, Name, Sign, Open, Nonce, Proof);
}
