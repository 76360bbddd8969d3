using System.Buffers.Text;

namespace Postern.Relay.Protocol;

/// <summary>
/// Seals a request to its plane, and opens it there. What names the envelope is bound into the seal: under another id,
/// number or time it does not open.
/// </summary>
internal static class EnvelopeSeal
{
    private static ReadOnlySpan<byte> Info => "postern-relay/1 envelope"u8;

    /// <param name="unsealed">The head, whose <see cref="EnvelopeHead.Key"/> and <see cref="EnvelopeHead.Enc"/> are set
    /// here.</param>
    public static Frame Seal(P256PublicKey open, EnvelopeHead unsealed, RelayedRequest request)
    {
        var made = Hpke.Seal(open, Info, Associated(unsealed), request.ToBytes());
        return new Frame(unsealed with { Key = open.Id, Enc = Base64Url.EncodeToString(made.Enc) }, made.Text);
    }

    /// <summary>Returns null when it was not sealed for this head and this key, or holds no request.</summary>
    public static RelayedRequest? TryOpen(P256Key open, EnvelopeHead head, ReadOnlySpan<byte> text) =>
        head.Key == open.Public.Id
        && Base64Url.IsValid(head.Enc)
        && Hpke.Open(open, Info, Associated(head), Base64Url.DecodeFromChars(head.Enc), text) is { } plain
            ? RelayedRequest.TryRead(plain)
            : null;

    private static byte[] Associated(EnvelopeHead head) =>
        RelaySignature.Lines(head.Relay, head.Plane, head.Id, head.Seq.ToString(), head.ReceivedAt.ToString());
}
