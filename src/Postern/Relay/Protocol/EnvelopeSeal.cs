using System.Buffers.Text;

namespace Postern.Relay.Protocol;

/// <summary>
/// Seals a request to its plane, and opens it there. The envelope's id, number and time are bound into the seal: with
/// others it does not open.
/// </summary>
internal static class EnvelopeSeal
{
    private static ReadOnlySpan<byte> Info => "postern-relay/1 envelope"u8;

    /// <summary>
    /// Agrees on a key for one envelope. This part can be done before the envelope's number is known.
    /// </summary>
    public static MessageKey Agree(P256PublicKey open) => Hpke.Agree(open, Info);

    /// <param name="unsealed">The head, whose <see cref="EnvelopeHead.Key"/> and <see cref="EnvelopeHead.Enc"/> are set
    /// here.</param>
    public static Frame Seal(P256PublicKey open, EnvelopeHead unsealed, RelayedRequest request) =>
        Seal(Agree(open), open.Id, unsealed, request.ToBytes());

    /// <param name="once">A key of <see cref="Agree"/> that sealed nothing yet.</param>
    /// <param name="openId">The id of the plane's key that it was agreed on with.</param>
    /// <param name="unsealed">As above.</param>
    /// <param name="request">The bytes of the request.</param>
    public static Frame Seal(MessageKey once, string openId, EnvelopeHead unsealed, ReadOnlySpan<byte> request)
    {
        var made = Hpke.Seal(once, Associated(unsealed), request);
        return new Frame(unsealed with { Key = openId, Enc = Base64Url.EncodeToString(made.Enc) }, made.Text);
    }

    /// <summary>
    /// Returns null when the envelope was not sealed for this head and this key, or contains no request.
    /// </summary>
    public static RelayedRequest? TryOpen(P256Key open, EnvelopeHead head, ReadOnlySpan<byte> text) =>
        head.Key == open.Public.Id
        && Base64Url.IsValid(head.Enc)
        && Hpke.Open(open, Info, Associated(head), Base64Url.DecodeFromChars(head.Enc), text) is { } plain
            ? RelayedRequest.TryRead(plain)
            : null;

    private static byte[] Associated(EnvelopeHead head) =>
        RelaySignature.Lines(head.Relay, head.Plane, head.Id, head.Seq.ToString(), head.ReceivedAt.ToString());
}
