using System.Text;
using System.Text.Json;

namespace Postern.Relay.Protocol;

/// <summary>
/// A message between a relay and a plane: the signature, a line feed, the head (one line of JSON, whose <c>f</c> names
/// its kind), a line feed, the body. The signature covers head and body, so nobody in between can alter them. It is
/// checked before the head is read.
/// </summary>
internal sealed record Frame(FrameHead Head, ReadOnlyMemory<byte> Body)
{
    private const byte LineFeed = (byte)'\n';

    public Frame(FrameHead head)
        : this(head, ReadOnlyMemory<byte>.Empty) { }

    /// <summary>Returns the bytes to send. They are sent again unchanged.</summary>
    /// <param name="kind"><see cref="RelaySignature.ToPlane"/> or <see cref="RelaySignature.ToRelay"/>.</param>
    /// <exception cref="InvalidOperationException">It is larger than the other side takes.</exception>
    public byte[] Encode(P256Key key, string kind)
    {
        var head = JsonSerializer.SerializeToUtf8Bytes(Head, FrameHead.Json);
        var length = RelaySignature.Length + 1 + head.Length + 1 + Body.Length;
        if (head.Length > RelayLimits.Head || length > RelayLimits.Frame)
            throw new InvalidOperationException($"A frame {Head.GetType().Name} of {length} bytes is too large.");
        var bytes = new byte[length];
        var signed = bytes.AsSpan(RelaySignature.Length + 1);
        head.CopyTo(signed);
        signed[head.Length] = LineFeed;
        Body.Span.CopyTo(signed[(head.Length + 1)..]);
        Encoding.ASCII.GetBytes(RelaySignature.Sign(key, kind, signed), bytes);
        bytes[RelaySignature.Length] = LineFeed;
        return bytes;
    }

    /// <summary>Reads a frame that one of the other side's keys has signed.</summary>
    public static FrameRead Read(ReadOnlyMemory<byte> bytes, string kind, params ReadOnlySpan<P256PublicKey> keys)
    {
        if (bytes.Length > RelayLimits.Frame)
            return new(null, FrameFault.TooLarge);
        if (bytes.Length <= RelaySignature.Length + 2 || bytes.Span[RelaySignature.Length] != LineFeed)
            return new(null, FrameFault.Malformed);
        var signature = Encoding.Latin1.GetString(bytes.Span[..RelaySignature.Length]);
        var signed = bytes[(RelaySignature.Length + 1)..];
        if (!IsByOne(keys, kind, signature, signed.Span))
            return new(null, FrameFault.BadSignature);
        var end = signed.Span.IndexOf(LineFeed);
        if (end > RelayLimits.Head)
            return new(null, FrameFault.TooLarge);
        return end > 0 && FrameHead.TryRead(signed.Span[..end]) is { } head
            ? new(new Frame(head, signed[(end + 1)..]), FrameFault.None)
            : new(null, FrameFault.Malformed);
    }

    private static bool IsByOne(
        ReadOnlySpan<P256PublicKey> keys,
        string kind,
        string signature,
        ReadOnlySpan<byte> signed
    )
    {
        foreach (var key in keys)
            if (RelaySignature.IsBy(key, kind, signature, signed))
                return true;
        return false;
    }
}
