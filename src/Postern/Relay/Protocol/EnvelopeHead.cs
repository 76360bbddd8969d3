namespace Postern.Relay.Protocol;

/// <summary>
/// From the relay: a stored request, sealed to the plane (<see cref="EnvelopeSeal"/>). It is sealed and signed once,
/// when it arrives, and always sent with the same bytes.
/// </summary>
/// <param name="Seq">Dense a plane, from 1.</param>
/// <param name="ReceivedAt">Milliseconds since 1970, as <paramref name="ExpiresAt"/>.</param>
/// <param name="Key">The id of the plane's key that it is sealed to.</param>
/// <param name="Enc">The encapsulated key, base64url.</param>
internal sealed record EnvelopeHead(
    string Relay,
    string Plane,
    string Id,
    long Seq,
    string Lane,
    long ReceivedAt,
    long ExpiresAt,
    string Key,
    string Enc
) : FrameHead;
