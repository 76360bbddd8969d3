namespace Postern.Relay.Protocol;

/// <summary>The relay's answer to a plane that joined it.</summary>
/// <param name="Plane">The id of the plane at this relay, which stands in its URLs.</param>
/// <param name="Relay">The relay's id.</param>
/// <param name="Key">The relay's public key: the plane takes it when its fingerprint is the code's.</param>
/// <param name="Url">Where the plane's doors are from now on, without a slash at the end.</param>
/// <param name="Proof">Of the relay: it holds the code's secret.</param>
internal sealed record JoinedRelay(string Plane, string Relay, string Key, string Url, string Proof)
{
    /// <summary>Returns the relay's key when the answer is that of the code's relay to this request, else null.</summary>
    public P256PublicKey? KeyFor(EnrolmentCode code, JoinRelay join) =>
        P256PublicKey.TryParse(Key) is { } key
        && key.Fingerprint == code.Fingerprint
        && EnrolmentProof.IsSame(Proof, EnrolmentProof.OfRelay(code.Secret, Plane, Key, join))
            ? key
            : null;
}
