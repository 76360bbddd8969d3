using Postern.Http;

namespace Postern.Relay.Protocol;

/// <summary>
/// New keys of a plane. The old key signs the request itself (<see cref="PlaneAuthorization"/>), and the new key signs
/// here.
/// </summary>
internal sealed record RotatePlaneKeys(
    [Text("The public key that the plane signs with.", P256PublicKey.TextLength, P256PublicKey.TextLength)] string Sign,
    [Text("The public key that is sealed to.", P256PublicKey.TextLength, P256PublicKey.TextLength)] string Open,
    [Text("Of the new key.", RelaySignature.Length, RelaySignature.Length)] string Signature
)
{
    public const string Path = "/relay/v1/keys";

    public static RotatePlaneKeys Make(string relay, string plane, P256Key sign, P256PublicKey open) =>
        new(
            sign.Public.Text,
            open.Text,
            RelaySignature.Sign(sign, RelaySignature.Connect, Lines(relay, plane, sign.Public.Text, open.Text))
        );

    public bool IsSignedBy(P256PublicKey sign, string relay, string plane) =>
        RelaySignature.IsBy(sign, RelaySignature.Connect, Signature, Lines(relay, plane, Sign, Open));

    private static byte[] Lines(string relay, string plane, string sign, string open) =>
        RelaySignature.Lines("POST", relay, Path, plane, sign, open);
}
