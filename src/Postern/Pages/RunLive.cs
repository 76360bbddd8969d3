using Postern.Access;
using Postern.Live;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// One page that follows a run: at each of its events the part of the page that changes with it, as the page holds it
/// too. It is rendered once a node for all who may see as much of it.
/// </summary>
internal sealed class RunLive(
    PageWriter writer,
    PageStreams streams,
    StreamRegistry registry,
    Tails tails,
    ProjectCaller caller,
    string run,
    string seen,
    long after,
    Func<ValueTask<RunModel?>> read
) : IResult
{
    private const string RunEnded = "run_ended";

    public async Task ExecuteAsync(HttpContext http)
    {
        using var stream = new LiveStream(
            registry,
            http,
            caller,
            new RequiredScope("read", "runs", run),
            LogStream.Heartbeat,
            null
        );
        using var place = streams.Enter(((ConsoleAuthority)caller.Authority).Session.Id, stream);
        await LiveStream.BeginAsync(http);
        if (!await stream.WriteAsync(LogStream.Retry))
            return;
        var source = Source();
        using var following = await tails.FollowAsync(source, stream);
        await LogStream.FollowAsync(stream, source, following.Tail, Math.Min(after + 1, following.Tail.Next));
    }

    private LogSource Source() =>
        new(
            $"run {run} pages {seen}",
            run,
            async () => (await read())?.Run.EventSeq + 1 ?? 1,
            async next =>
            {
                if (await read() is not { } model)
                    return new Batch([], StreamEnd.SessionDeleted);
                var last = model.Run.EventSeq;
                if (last < next)
                    return new Batch([], model.Run.IsEnded ? RunEnded : null);
                var html = await writer.RenderAsync<RunNow, RunModel>(
                    writer.ContextOfAnyone(new DefaultHttpContext()),
                    model
                );
                // Whatever happened since is one picture.
                return new Batch([new Frame(next, last + 1, PageStreams.Event(last, html))], null);
            },
            WatchedRow.Run(caller.Project, run)
        );
}
