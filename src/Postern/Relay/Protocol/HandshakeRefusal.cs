namespace Postern.Relay.Protocol;

/// <summary>
/// The body of a 401 to a plane. It has an effect only when the pinned key has signed it, for the nonce that the plane
/// sent. So anybody in between can refuse a connection, but cannot revoke the plane.
/// </summary>
/// <param name="Time">The relay's time, in milliseconds since 1970.</param>
internal sealed record HandshakeRefusal(string Code, long Time, string Signature)
{
    public const string UnknownPlane = "unknown_plane";
    public const string Revoked = "revoked";
    public const string BadSignature = "bad_signature";
    public const string NonceUsed = "nonce_used";
    public const string ClockSkew = "clock_skew";

    public static HandshakeRefusal Make(
        P256Key key,
        string relay,
        PlaneAuthorization refused,
        string code,
        long time
    ) =>
        new(
            code,
            time,
            RelaySignature.Sign(key, RelaySignature.Refusal, relay, refused.Plane, refused.Nonce, code, time.ToString())
        );

    public bool IsBy(P256PublicKey key, string relay, PlaneAuthorization refused) =>
        RelaySignature.IsBy(
            key,
            RelaySignature.Refusal,
            Signature,
            relay,
            refused.Plane,
            refused.Nonce,
            Code,
            Time.ToString()
        );
}
