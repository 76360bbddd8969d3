using System.Buffers.Text;
using System.Text;

namespace Postern.Relay.Protocol;

/// <summary>
/// Several frames in one body, for a plane that cannot use a WebSocket. Before each frame stand its length in decimal
/// and a line feed.
/// </summary>
internal static class FrameBatch
{
    private const byte LineFeed = (byte)'\n';

    public static byte[] Write(IReadOnlyCollection<byte[]> frames)
    {
        using var buffer = new MemoryStream(frames.Sum(f => f.Length + 10));
        foreach (var frame in frames)
        {
            buffer.Write(Encoding.ASCII.GetBytes($"{frame.Length}\n"));
            buffer.Write(frame);
        }
        return buffer.ToArray();
    }

    /// <summary>Returns null when the lengths do not end where the body does.</summary>
    public static List<ReadOnlyMemory<byte>>? TryRead(ReadOnlyMemory<byte> body)
    {
        var frames = new List<ReadOnlyMemory<byte>>();
        while (!body.IsEmpty)
        {
            if (
                !Utf8Parser.TryParse(body.Span, out int length, out var digits)
                || digits >= body.Length
                || body.Span[digits] != LineFeed
                || length is <= 0 or > RelayLimits.Frame
                || length > body.Length - digits - 1
            )
                return null;
            frames.Add(body.Slice(digits + 1, length));
            body = body[(digits + 1 + length)..];
        }
        return frames;
    }
}
