using Postern.Access;
using Postern.Bulk;
using Postern.Live;

namespace Postern.Pages;

/// <summary>
/// One page that follows a job: whenever it has moved, the part of the page that changes. It is rendered once a node
/// for all who watch.
/// </summary>
internal sealed class BulkLive(
    PageWriter writer,
    PageStreams streams,
    StreamRegistry registry,
    Tails tails,
    ProjectCaller caller,
    BulkJob job,
    RequiredScope need,
    long after,
    Func<ValueTask<BulkModel?>> read
) : IResult
{
    private const string JobEnded = "job_ended";

    public async Task ExecuteAsync(HttpContext http)
    {
        using var stream = new LiveStream(registry, http, caller, need, LogStream.Heartbeat, null);
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
            $"bulk {job.Project} {job.Id} pages",
            job.Id,
            async () => (await read())?.Job.Revision + 1 ?? 1,
            async next =>
            {
                if (await read() is not { } model)
                    return new Batch([], StreamEnd.SessionDeleted);
                var last = model.Job.Revision;
                if (last < next)
                    return new Batch([], model.Job.IsOver ? JobEnded : null);
                var html = await writer.RenderAsync<BulkNow, BulkModel>(
                    writer.ContextOfAnyone(new DefaultHttpContext()),
                    model
                );
                // Whatever happened since is one picture.
                return new Batch([new Frame(next, last + 1, PageStreams.Event(last, html))], null);
            }
        );
}
