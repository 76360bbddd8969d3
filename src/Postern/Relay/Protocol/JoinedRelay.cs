using Postern.Http;

namespace Postern.Relay.Protocol;

/// <summary>The relay's answer to a plane that joined it.</summary>
internal sealed record JoinedRelay(
    [Member("The id of the plane at this relay, which stands in its URLs.")] string Plane,
    [Member("The relay's id.")] string Relay,
    [Member("The relay's public key: the plane takes it when its fingerprint is the code's.")] string Key,
    [Member("Where the plane's doors are from now on, without a slash at the end.")] string Url,
    [Member("Of the relay: it holds the code's secret.")] string Proof
)
{
    /// <summary>
    /// Returns the relay's key when the answer is that of the code's relay to this request, else null.
    /// </summary>
    public P256PublicKey? KeyFor(EnrolmentCode code, JoinRelay join) =>
        P256PublicKey.TryParse(Key) is { } key
        && key.Fingerprint == code.Fingerprint
        && EnrolmentProof.IsSame(Proof, EnrolmentProof.OfRelay(code.Secret, Plane, Key, join))
            ? key
            : null;
}
