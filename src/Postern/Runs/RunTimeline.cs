using System.Text;
using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Live;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// One follower of a run's timeline, as server-sent events: <c>id</c> is the event's number, <c>data</c> its row. It
/// begins after the number that the client has. It ends with <c>event: end</c> when the run has ended and nothing of it
/// is under way.
/// </summary>
internal sealed class RunTimeline(StreamContext streams, RunEvents events, ProjectCaller caller, Run run, long after)
    : IResult
{
    private const string RunEnded = "run_ended";
    private const int PageSize = 100;

    public async Task ExecuteAsync(HttpContext http)
    {
        using var stream = new LiveStream(
            streams.Registry,
            http,
            caller,
            new RequiredScope("read", "runs", run.Id),
            LogStream.Heartbeat,
            null
        );
        await LiveStream.BeginAsync(http);
        if (!await stream.WriteAsync(LogStream.Retry))
            return;
        var source = Source();
        using var following = await streams.Tails.FollowAsync(source, stream);
        // A number beyond the end is from before a restore.
        await LogStream.FollowAsync(stream, source, following.Tail, Math.Min(after + 1, following.Tail.Next));
    }

    private LogSource Source() =>
        new(
            "run " + run.Id,
            run.Id,
            async () => await events.LastAsync(run.Project, run.Id) + 1,
            next =>
                streams.Database.ReadAsync(async tx =>
                {
                    // Read the run before its events: the event that ended it is then among them.
                    var now = await RunStore.FindAsync(tx, run.Project, run.Id);
                    var rows = await RunEvents.AfterAsync(tx, run.Project, run.Id, next - 1, PageSize);
                    if (rows.Count > 0)
                        return new Batch([.. rows.Select(e => new Frame(e.Seq, e.Seq + 1, Render(e)))], null);
                    return new Batch(
                        [],
                        now is null || (now.IsEnded && (now.CallbackUrl is null || now.CallbackOutcome is not null))
                            ? RunEnded
                            : null
                    );
                }),
            WatchedRow.Run(run.Project, run.Id)
        );

    private static ReadOnlyMemory<byte> Render(RunEvent e) =>
        (byte[])
            [
                .. Encoding.ASCII.GetBytes($"id: {e.Seq}\ndata: "),
                .. JsonSerializer.SerializeToUtf8Bytes(RunEventView.Of(e), Wire.Json),
                .. "\n\n"u8,
            ];
}
