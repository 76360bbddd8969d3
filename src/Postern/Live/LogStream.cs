using System.Text;

namespace Postern.Live;

/// <summary>
/// The loop of a stream that shows one log from a number on: recent entries from the tail, older ones from the store,
/// and now and then a comment. It ends with <c>event: end</c> and the reason.
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
            var sent = await SendNextAsync(stream, source, tail, cursor, beside);
            if (sent.IsOver)
                return;
            cursor = sent.Cursor;
            if (sent.HadSome)
                continue;
            if (stream.HeartbeatDue && !await stream.WriteAsync(KeepAlive))
                return;
            await stream.WaitAsync();
        }
        if (!stream.ClientGone)
            await stream.WriteAsync(EndOf(stream));
    }

    /// <summary>Sends what comes next, or reports the end of the log.</summary>
    private static async ValueTask<Sent> SendNextAsync(
        LiveStream stream,
        LogSource source,
        Tail tail,
        long cursor,
        Func<ReadOnlyMemory<byte>?>? beside
    )
    {
        var frame = tail.Find(cursor, out var behind, out var ended);
        if (behind)
            return await CatchUpAsync(stream, source, cursor);
        if (frame is not null)
            return new Sent(frame.End, true, !await stream.WriteAsync(frame.Bytes));
        if (beside?.Invoke() is { } other)
            return new Sent(cursor, true, !await stream.WriteAsync(other));
        if (ended is null)
            return new Sent(cursor, false, false);
        stream.End(ended);
        return new Sent(cursor, true, false);
    }

    /// <summary>Sends a page from the store.</summary>
    private static async ValueTask<Sent> CatchUpAsync(LiveStream stream, LogSource source, long cursor)
    {
        var page = (await source.ReadAsync(cursor)).Frames;
        foreach (var old in page)
        {
            if (stream.WhyEnded is not null)
                break;
            if (!await stream.WriteAsync(old.Bytes))
                return new Sent(cursor, true, true);
            cursor = old.End;
        }
        return new Sent(cursor, true, page.Count == 0);
    }

    /// <summary>The result of one step.</summary>
    /// <param name="Cursor">The number that comes next.</param>
    /// <param name="HadSome">There may be more at once.</param>
    /// <param name="IsOver">The client, or the log, is gone.</param>
    private readonly record struct Sent(long Cursor, bool HadSome, bool IsOver);

    /// <summary>The last event: why the stream ends.</summary>
    public static byte[] EndOf(LiveStream stream) =>
        Encoding.ASCII.GetBytes($"event: end\ndata: {{\"reason\":\"{stream.WhyEnded}\"}}\n\n");
}
