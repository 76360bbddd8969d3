using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Live;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// One page that follows a transcript: each message once it is committed, as the element that the page holds too, and
/// the text that is being made. Messages are rendered once a node.
/// </summary>
internal sealed class TranscriptLive(
    PageWriter writer,
    PageStreams streams,
    Database database,
    Transcript transcript,
    StreamRegistry registry,
    Tails tails,
    ProjectCaller caller,
    SessionRef name,
    long after
) : IResult
{
    private const int PageSize = 50;

    public async Task ExecuteAsync(HttpContext http)
    {
        using var stream = new LiveStream(
            registry,
            http,
            caller,
            new RequiredScope("read", "sessions", name.Id, name.ExternalId),
            LogStream.Heartbeat,
            null
        );
        using var place = streams.Enter(((ConsoleAuthority)caller.Authority).Session.Id, stream);
        await LiveStream.BeginAsync(http);
        if (!await stream.WriteAsync(LogStream.Retry))
            return;
        var source = Messages();
        using var messages = await tails.FollowAsync(source, stream);
        using var deltas = await tails.FollowAsync(Deltas(), stream);
        var cursor = deltas.Tail.Next;
        // A number beyond the end is from before a restore.
        await LogStream.FollowAsync(
            stream,
            source,
            messages.Tail,
            Math.Min(after + 1, messages.Tail.Next),
            () => NextDelta(deltas.Tail, ref cursor)
        );
    }

    private LogSource Messages() =>
        new(
            name.Id + " pages",
            name.Id,
            async () => (await FindAsync())?.MessageNext ?? 1,
            async next =>
            {
                var rows = await transcript.AfterAsync(name.Project, name.Id, next - 1, PageSize);
                var frames = new List<Frame>(rows.Count);
                foreach (var message in rows)
                    frames.Add(
                        new Frame(
                            message.Seq,
                            message.Seq + 1,
                            PageStreams.Event(message.Seq, await RenderAsync(message))
                        )
                    );
                return new Batch(frames, frames.Count > 0 ? null : await WhyOverAsync());
            },
            WatchedRow.Session(name.Project, name.Id)
        );

    private Task<byte[]> RenderAsync(Message message) =>
        writer.RenderAsync<LiveMessage, Message>(writer.ContextOfAnyone(new DefaultHttpContext()), message);

    private ValueTask<Session?> FindAsync() =>
        database.ReadAsync(tx => SessionStore.FindAsync(tx, name.Project, name.Id));

    private async ValueTask<string?> WhyOverAsync()
    {
        if (await FindAsync() is not { } session)
            return StreamEnd.SessionDeleted;
        return session.IsOver(database.Now) ? StreamEnd.SessionClosed : null;
    }

    /// <summary>Text that is still being made: the records of <c>out</c> of which only the deltas show.</summary>
    private LogSource Deltas() =>
        ChannelFrames.Source(database, name, RecordStore.Out) with
        {
            Key = name.Id + " page deltas",
            ReadAsync = next =>
                database.ReadAsync(async tx =>
                {
                    var records = await RecordStore.AfterAsync(tx, name, RecordStore.Out, next - 1, PageSize);
                    return new Batch([.. records.Select(r => new Frame(r.Seq, r.Seq + 1, DeltaOf(r)))], null);
                }),
        };

    /// <summary>What is new in the deltas, or null; a page that fell behind skips to the newest.</summary>
    private static ReadOnlyMemory<byte>? NextDelta(Tail tail, ref long cursor)
    {
        while (true)
        {
            var frame = tail.Find(cursor, out var behind, out _);
            if (behind)
                cursor = tail.Next;
            else if (frame is null)
                return null;
            else
            {
                cursor = frame.End;
                if (frame.Bytes.Length > 0)
                    return frame.Bytes;
            }
        }
    }

    private static ReadOnlyMemory<byte> DeltaOf(Record record)
    {
        if (record.Body.Length == 0)
            return default;
        using var envelope = JsonDocument.Parse(MendedJson.NamesOf(record.Body), Wire.Kept);
        if (TurnAssembler.DeltaOf(envelope.RootElement.GetProperty("data")) is not { } text)
            return default;
        var data = JsonSerializer.SerializeToUtf8Bytes(text, Wire.Json);
        return (byte[])[.. "event: delta\ndata: "u8, .. data, .. "\n\n"u8];
    }
}
