using System.Buffers;
using System.Text;
using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Live;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.History;

/// <summary>
/// One follower of a transcript, as server-sent events: first the window (unless it resumes), then every message when
/// it is committed. It begins where the window ended, so each message comes once. A number that no message has is from
/// before a restore: then the follower gets the window, which may lack messages that it has shown.
/// </summary>
internal sealed class HistoryStream(
    StreamContext streams,
    Transcript transcript,
    HistoryReader reader,
    ProjectCaller caller,
    SessionRef name,
    HistoryQuery query,
    long? resumeAfter
) : IResult
{
    private const int PageSize = 100;

    public async Task ExecuteAsync(HttpContext http)
    {
        using var stream = new LiveStream(
            streams.Registry,
            http,
            caller,
            new RequiredScope("read", "sessions", name.Id, name.ExternalId),
            LogStream.Heartbeat,
            null
        );
        await LiveStream.BeginAsync(http);
        if (!await stream.WriteAsync(LogStream.Retry))
            return;
        var stand = await reader.StateAsync(name) ?? default;
        var source = MessagesOf(stand);
        using var messages = await streams.Tails.FollowAsync(source, stream);
        using var deltas = query.Deltas ? await streams.Tails.FollowAsync(DeltasOf(), stream) : null;

        var cursor = await ResumesAsync(stand) ? resumeAfter!.Value : await SendWindowAsync(stream);
        if (cursor < 0)
            return;
        var deltaCursor = deltas?.Tail.Next ?? 0;
        await LogStream.FollowAsync(
            stream,
            source,
            messages.Tail,
            cursor + 1,
            deltas is null ? null : () => deltas.Tail.TakeNewest(ref deltaCursor)
        );
    }

    /// <summary>Returns whether the follower can resume: it names an existing message, or the beginning.</summary>
    private async ValueTask<bool> ResumesAsync(TranscriptState stand) =>
        resumeAfter is { } seq
        && (seq == 0 || seq == stand.LastSeq || await transcript.HoldsAsync(name.Project, name.Id, seq));

    /// <summary>
    /// Sends the first frame: exactly the JSON body. Returns its last number, or -1 when the stream is over.
    /// </summary>
    private async ValueTask<long> SendWindowAsync(LiveStream stream)
    {
        if (await reader.ReadAsync(name, query) is not { } page)
        {
            stream.End(StreamEnd.SessionDeleted);
            return 0;
        }
        if (stream.WhyEnded is not null)
            return 0;
        var head = page.LastSeq > 0 ? $"event: history\nid: {page.LastSeq}\ndata: " : "event: history\ndata: ";
        var sent =
            await stream.WriteAsync(Encoding.ASCII.GetBytes(head))
            && await stream.WriteAsync(page.Json)
            && await stream.WriteAsync("\n\n"u8.ToArray());
        return sent ? page.LastSeq : -1;
    }

    /// <param name="stand">A tail that has kept a message from before a merge is not joined.</param>
    private LogSource MessagesOf(TranscriptState stand) =>
        new(
            $"{name.Id} transcript {query.Full}{stand.MergeMark}",
            name.Id,
            async () => (await reader.StateAsync(name) ?? default).LastSeq + 1,
            async next =>
            {
                var rows = await transcript.AfterAsync(name.Project, name.Id, next - 1, PageSize);
                if (rows.Count > 0)
                    return new Batch(
                        [.. rows.Select(m => new Frame(m.Seq, m.Seq + 1, MessageJson.Frame(name.Key, m, query.Full)))],
                        null
                    );
                return new Batch([], await WhyOverAsync());
            },
            WatchedRow.Session(name.Project, name.Id)
        );

    private async ValueTask<string?> WhyOverAsync()
    {
        var session = await streams.Database.ReadAsync(tx => SessionStore.FindAsync(tx, name.Project, name.Id));
        if (session is null)
            return StreamEnd.SessionDeleted;
        return session.IsOver(streams.Database.Now) ? StreamEnd.SessionClosed : null;
    }

    /// <summary>Text that is being written: the records of <c>out</c>, of which only the deltas are shown.</summary>
    private LogSource DeltasOf()
    {
        var channel = ChannelFrames.Source(streams.Database, name, RecordStore.Out);
        return channel with
        {
            Key = name.Id + " deltas",
            ReadAsync = next =>
                streams.Database.ReadAsync(async tx =>
                {
                    var records = await RecordStore.AfterAsync(tx, name, RecordStore.Out, next - 1, PageSize);
                    var run =
                        records.Count == 0
                            ? null
                            : (await SessionStore.FindAsync(tx, name.Project, name.Id))?.CurrentRun;
                    return new Batch([.. records.Select(r => new Frame(r.Seq, r.Seq + 1, DeltaFrame(r, run)))], null);
                }),
        };
    }

    private static ReadOnlyMemory<byte> DeltaFrame(Record record, string? run)
    {
        if (record.Body.Length == 0)
            return default;
        using var envelope = JsonDocument.Parse(MendedJson.NamesOf(record.Body), Wire.Kept);
        if (TurnAssembler.DeltaOf(envelope.RootElement.GetProperty("data")) is not { } text)
            return default;
        var data = new ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(data, Wire.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("runId"u8, run);
            json.WriteString("text"u8, text);
            json.WriteEndObject();
        }
        return (byte[])[.. "event: delta\ndata: "u8, .. data.WrittenSpan, .. "\n\n"u8];
    }
}
