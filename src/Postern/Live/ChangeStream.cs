using System.Text;
using Postern.Storage;

namespace Postern.Live;

/// <summary>
/// A stream that reports that something has changed, but not what: <c>event: changed</c>, at most once a second. Its
/// client then loads what it shows. It also reports once at its beginning, because it cannot know what happened between
/// the page and the stream or before a reconnect; so nothing is missed.
/// </summary>
/// <param name="beside">Returns another frame to send; null when there is none.</param>
internal sealed class ChangeStream(
    LiveStream stream,
    Database database,
    TimeProvider clock,
    Func<ReadOnlyMemory<byte>?>? beside = null
)
{
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(1);
    private int _changed = 1;

    /// <summary>Follows a topic until the stream ends.</summary>
    /// <param name="topic">What commits announce.</param>
    public async Task FollowAsync(string topic)
    {
        if (!await stream.WriteAsync(LogStream.Retry))
            return;
        using var listening = database.Changes.Listen(topic, Heard);
        var said = long.MinValue;
        while (stream.WhyEnded is null && !stream.ClientGone)
        {
            var mayTell = said == long.MinValue || clock.GetElapsedTime(said) >= Between;
            if (mayTell && Interlocked.Exchange(ref _changed, 0) == 1)
            {
                if (
                    !await stream.WriteAsync(
                        Encoding.ASCII.GetBytes($"id: {database.Now}\nevent: changed\ndata: {{}}\n\n")
                    )
                )
                    return;
                said = clock.GetTimestamp();
                continue;
            }
            if (beside?.Invoke() is { } other)
            {
                if (!await stream.WriteAsync(other))
                    return;
                continue;
            }
            if (stream.HeartbeatDue && !await stream.WriteAsync(LogStream.KeepAlive))
                return;
            stream.IsLookedAt = Volatile.Read(ref _changed) == 1;
            await stream.WaitAsync();
        }
        if (!stream.ClientGone)
            await stream.WriteAsync(LogStream.EndOf(stream));
    }

    private void Heard()
    {
        if (Interlocked.Exchange(ref _changed, 1) == 0)
            stream.Wake();
    }
}
