using System.Text;
using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Live;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// One follower of a run's timeline, as server-sent events: <c>id</c> is the event's number, <c>data</c> its row. It begins after the number that the
/// client has, and ends with <c>event: end</c> once the run has ended and nothing of it is still under way.
/// </summary>
internal sealed class RunTimeline(Database database, RunStore runs, RunEvents events, StreamRegistry registry, Tails tails, ProjectCaller caller, Run run, long after) : IResult
{
    private const string RunEnded = "run_ended";
    private const int PageSize = 100;
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(14);
    private static readonly byte[] Retry = "retry: 1000\n\n"u8.ToArray();
    private static readonly byte[] KeepAlive = ": keepalive\n\n"u8.ToArray();

    public async Task ExecuteAsync(HttpContext http)
    {
        using var stream = new LiveStream(registry, http, caller, new Need("read", "runs", run.Id), Heartbeat, null);
        await LiveStream.BeginAsync(http);
        if (!await stream.WriteAsync(Retry)) return;
        using var following = await tails.FollowAsync(Source(), stream);
        var cursor = after + 1;
        while (stream.WhyEnded is null && !stream.ClientGone)
        {
            var frame = following.Tail.Find(cursor, out var behind);
            if (behind)
            {
                cursor = await CatchUpAsync(stream, cursor);
                if (cursor < 0) return;
            }
            else if (frame is not null)
            {
                if (!await stream.WriteAsync(frame.Bytes)) return;
                cursor = frame.End;
            }
            else if (following.Tail.Ended is { } ended)
            {
                stream.End(ended);
            }
            else
            {
                if (stream.HeartbeatDue && !await stream.WriteAsync(KeepAlive)) return;
                await stream.WaitAsync();
            }
        }
        if (!stream.ClientGone) await stream.WriteAsync(Encoding.ASCII.GetBytes($"event: end\ndata: {{\"reason\":\"{stream.WhyEnded}\"}}\n\n"));
    }

    private async Task<long> CatchUpAsync(LiveStream stream, long cursor)
    {
        var rows = await events.AfterAsync(run.Project, run.Id, cursor - 1, PageSize);
        if (rows.Count == 0) return -1;
        foreach (var row in rows)
        {
            if (stream.WhyEnded is not null) return cursor;
            if (!await stream.WriteAsync(Render(row))) return -1;
            cursor = row.Seq + 1;
        }
        return cursor;
    }

    private LogSource Source() => new(
        "run " + run.Id, run.Id,
        async () => (await runs.FindAsync(run.Project, run.Id))?.EventSeq + 1 ?? 1,
        next => database.ReadAsync(async tx =>
        {
            // The run before its events: what ended it is then among them.
            var now = await RunStore.FindAsync(tx, run.Project, run.Id);
            var rows = await events.AfterAsync(run.Project, run.Id, next - 1, PageSize);
            if (rows.Count > 0) return new Batch([.. rows.Select(e => new Frame(e.Seq, e.Seq + 1, Render(e)))], null);
            return new Batch([], now is null || (now.IsEnded && (now.CallbackUrl is null || now.CallbackOutcome is not null)) ? RunEnded : null);
        }));

    private static ReadOnlyMemory<byte> Render(RunEvent e) => (byte[])[.. Encoding.ASCII.GetBytes($"id: {e.Seq}\ndata: "), .. JsonSerializer.SerializeToUtf8Bytes(RunEventView.Of(e), Wire.Json), .. "\n\n"u8];
}
