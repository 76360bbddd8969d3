using System.Text;

namespace Postern.Live;

/// <summary>
/// The loop of a stream that shows one log from a number on: what the tail still keeps from the tail, what is older
/// from the store, and between them a comment now and then. It ends with <c>event: end</c> and the reason.
/// </summary>
internal static class LogStream
{
    public static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(14);
    public static readonly byte[] Retry = "retry: 1000\n\n"u8.ToArray();
    public static readonly byte[] KeepAlive = ": keepalive\n\n"u8.ToArray();

    /// <param name="stream">Has begun.</param>
    /// <param name="source">The log; read from here while the stream is behind its tail.</param>
    /// <param name="tail">Of the same log.</param>
    /// <param name="cursor">The number that comes next.</param>
    /// <param name="beside">What else is to be sent while the log has nothing new; null when there is none.</param>
    public static async Task FollowAsync(
        LiveStream stream,
        LogSource source,
        Tail tail,
        long cursor,
        Func<ReadOnlyMemory<byte>?>? beside = null
    )
    {
        while (stream.WhyEnded is null && !stream.ClientGone)
        {
            var frame = tail.Find(cursor, out var behind, out var ended);
            if (behind)
            {
                var page = (await source.ReadAsync(cursor)).Frames;
                if (page.Count == 0)
                    return;
                foreach (var old in page)
                {
                    if (stream.WhyEnded is not null)
                        break;
                    if (!await stream.WriteAsync(old.Bytes))
                        return;
                    cursor = old.End;
                }
            }
            else if (frame is not null)
            {
                if (!await stream.WriteAsync(frame.Bytes))
                    return;
                cursor = frame.End;
            }
            else if (beside?.Invoke() is { } other)
            {
                if (!await stream.WriteAsync(other))
                    return;
            }
            else if (ended is not null)
            {
                stream.End(ended);
            }
            else
            {
                if (stream.HeartbeatDue && !await stream.WriteAsync(KeepAlive))
                    return;
                await stream.WaitAsync();
            }
        }
        if (!stream.ClientGone)
            await stream.WriteAsync(EndOf(stream));
    }

    /// <summary>The last event: why it ends.</summary>
    public static byte[] EndOf(LiveStream stream) =>
        Encoding.ASCII.GetBytes($"event: end\ndata: {{\"reason\":\"{stream.WhyEnded}\"}}\n\n");
}
