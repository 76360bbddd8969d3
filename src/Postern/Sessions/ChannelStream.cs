using Postern.Access;
using Postern.Live;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// One reader of one channel, as server-sent events. The stream is a cursor: it takes frames from the tail while the
/// tail has them, else from the store. It ends with <c>[DONE]</c> when its time is over or nothing more can come, and
/// with <c>event: error</c> when its authority ends.
/// </summary>
internal sealed class ChannelStream(
    StreamContext streams,
    SessionStore sessions,
    SessionTokens tokens,
    RecordStore records,
    ProjectCaller caller,
    StreamRequest asked
) : IResult
{
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(5);

    public async Task ExecuteAsync(HttpContext http)
    {
        var need = new RequiredScope("read", "sessions", asked.Name?.Id ?? asked.Reference, asked.Name?.ExternalId);
        using var stream = new LiveStream(streams.Registry, http, caller, need, Heartbeat, asked.Timeout);
        http.Response.Headers["X-Stream-Version"] = "v2";
        var settled =
            asked.PeekSettled
            && asked is { Io: RecordStore.Out, SideChannel: null, Name: not null }
            && await IsSettledAsync(asked.Name);
        if (settled)
            http.Response.Headers["X-Session-Settled"] = "true";
        await LiveStream.BeginAsync(http);

        var name = asked.Name ?? await BirthAsync(stream);
        if (name is not null)
        {
            stream.RequiredScope = new RequiredScope("read", "sessions", name.Id, name.ExternalId);
            await FollowAsync(stream, name, settled);
        }
        if (stream.ClientGone)
            return;
        await stream.WriteAsync(stream.WhyEnded is { } reason ? ChannelFrames.Error(reason) : ChannelFrames.Done);
    }

    private async Task FollowAsync(LiveStream stream, SessionRef name, bool settled)
    {
        var channel = Channel;
        using var following = await streams.Tails.FollowAsync(
            ChannelFrames.Source(streams.Database, name, channel),
            stream
        );
        var cursor = asked.After is { } after ? after + 1 : (await records.TailAsync(name, channel)).Next;
        while (stream.WhyEnded is null)
        {
            var frame = following.Tail.Find(cursor, out var behind, out var ended);
            if (behind)
            {
                cursor = await CatchUpAsync(stream, name, channel, cursor);
                if (cursor < 0)
                    return;
                continue;
            }
            if (frame is not null)
            {
                if (!await SendAsync(stream, name, frame))
                    return;
                cursor = frame.End;
                continue;
            }
            if (settled || stream.TimedOut || ended is not null)
                return;
            if (!await PingAsync(stream))
                return;
            await stream.WaitAsync();
        }
    }

    private string Channel => asked.SideChannel is null ? asked.Io : RecordStore.Side(asked.SideChannel, asked.Io);

    /// <summary>Sends a sign of life now and then. Returns false when the client has gone.</summary>
    private static async ValueTask<bool> PingAsync(LiveStream stream) =>
        (!stream.HeartbeatDue || await stream.WriteAsync(ChannelFrames.Ping)) && !stream.ClientGone;

    /// <summary>Sends one page from the store. Returns the cursor behind it, or -1 when the stream is over.</summary>
    private async Task<long> CatchUpAsync(LiveStream stream, SessionRef name, string channel, long cursor)
    {
        var batch = await streams.Database.ReadAsync(tx => ChannelFrames.ReadAsync(tx, name, channel, cursor));
        if (batch.Frames.Count == 0)
            return -1;
        foreach (var frame in batch.Frames)
        {
            if (stream.WhyEnded is not null || !await SendAsync(stream, name, frame))
                return -1;
            cursor = frame.End;
        }
        return cursor;
    }

    private async ValueTask<bool> SendAsync(LiveStream stream, SessionRef name, Frame frame)
    {
        if (stream.WhyEnded is not null)
            return true;
        var bytes =
            frame.Entry is Record turnComplete && await tokens.RefreshAsync(caller, name) is { } token
                ? ChannelFrames.WithToken(turnComplete, token)
                : frame.Bytes;
        return await stream.WriteAsync(bytes);
    }

    /// <summary>Waits until a session with this name exists. Returns null when the stream ended first.</summary>
    private async Task<SessionRef?> BirthAsync(LiveStream stream)
    {
        using var listening = streams.Database.Changes.Listen(
            Topics.Named(caller.Project, asked.Reference),
            stream.Wake,
            WatchedRow.SessionNamed(caller.Project, asked.Reference)
        );
        while (stream.WhyEnded is null && !stream.TimedOut && !stream.ClientGone)
        {
            if (await sessions.NameAsync(caller.Project, asked.Reference) is { } name)
                return name;
            if (!await PingAsync(stream))
                return null;
            await stream.WaitAsync();
        }
        return null;
    }

    private async ValueTask<bool> IsSettledAsync(SessionRef name) =>
        await sessions.FindAsync(name.Project, name.Id) is { OutSettled: true };
}
