using Microsoft.AspNetCore.Components;
using Postern.Access;
using Postern.Live;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// Opens the streams of pages that update themselves. Each takes a place among those of its session
/// (<see cref="PageStreams"/>), and ends when the caller loses the right to see the page.
/// </summary>
internal sealed class PageFeeds(PageWriter writer, PageStreams places, StorageNews news, StreamContext live)
{
    /// <summary>Opens the stream of a page that shows one log, from the number at which the page ended.</summary>
    /// <param name="need">What the page shows.</param>
    /// <param name="log">The log, rendered as the elements that the page holds too.</param>
    /// <param name="beside">
    /// What else is shown while the log has nothing new; a page that fell behind skips to the newest of it.
    /// </param>
    public IResult Follow(PageContext context, RequiredScope need, LogSource log, LogSource? beside = null)
    {
        var (caller, after) = (context.Caller, context.ResumeAfter);
        return new Feed(http => OpenAsync(http, caller, need, stream => FollowAsync(stream, log, beside, after)));
    }

    /// <summary>
    /// Opens the stream of a page that shows a list. It reports when something in the list may have changed.
    /// </summary>
    public IResult FollowList(PageContext context, string list) =>
        FollowChanges(context, new RequiredScope("read", list), Topics.List(context.Project, list));

    /// <summary>Opens the stream of a page that is told when something on it may have changed.</summary>
    /// <param name="need">What the page shows.</param>
    /// <param name="topic">What commits announce.</param>
    public IResult FollowChanges(PageContext context, RequiredScope need, string topic)
    {
        var caller = context.Caller;
        return new Feed(http =>
            OpenAsync(
                http,
                caller,
                need,
                stream => new ChangeStream(stream, live.Database, live.Registry.Clock, news.ForOne()).FollowAsync(topic)
            )
        );
    }

    /// <summary>
    /// Returns a log of pictures of one thing. Whenever the thing has changed, the changing part of its page is
    /// rendered, once on each node for all people who may see the same parts.
    /// </summary>
    /// <param name="key">The thing, and how much of it is seen.</param>
    /// <param name="topic">What commits announce.</param>
    /// <param name="read">The thing as it is now; null once it is gone.</param>
    /// <param name="row">The row that every change of it changes.</param>
    public LogSource PicturesOf<TPart, TModel>(
        string key,
        string topic,
        Func<ValueTask<TModel?>> read,
        WatchedRow? row = null
    )
        where TPart : IComponent
        where TModel : class, IPictured =>
        new(
            key,
            topic,
            async () => (await read())?.Revision + 1 ?? 1,
            async next =>
            {
                if (await read() is not { } model)
                    return new Batch([], StreamEnd.SessionDeleted);
                var last = model.Revision;
                if (last < next)
                    return new Batch([], model.WhyOver);
                // Everything that has happened since is one picture.
                return new Batch([new Frame(next, last + 1, await EventAsync<TPart, TModel>(last, model))], null);
            },
            row
        );

    /// <summary>Returns a part of a page as a numbered event, the same for all who get it.</summary>
    public async Task<ReadOnlyMemory<byte>> EventAsync<TPart, TModel>(long id, TModel model)
        where TPart : IComponent =>
        PageStreams.Event(
            id,
            await writer.RenderAsync<TPart, TModel>(writer.ContextOfAnyone(new DefaultHttpContext()), model)
        );

    private async Task OpenAsync(
        HttpContext http,
        ProjectCaller caller,
        RequiredScope need,
        Func<LiveStream, Task> follow
    )
    {
        using var stream = new LiveStream(live.Registry, http, caller, need, LogStream.Heartbeat, null);
        using var place = places.Enter(((ConsoleAuthority)caller.Authority).Session.Id, stream);
        await LiveStream.BeginAsync(http);
        await follow(stream);
    }

    private async Task FollowAsync(LiveStream stream, LogSource log, LogSource? beside, long after)
    {
        if (!await stream.WriteAsync(LogStream.Retry))
            return;
        using var following = await live.Tails.FollowAsync(log, stream);
        // A number beyond the end is from before a restore.
        var cursor = Math.Min(after + 1, following.Tail.Next);
        var storage = news.ForOne();
        if (beside is null)
        {
            await LogStream.FollowAsync(stream, log, following.Tail, cursor, storage);
            return;
        }
        using var other = await live.Tails.FollowAsync(beside, stream);
        var next = other.Tail.Next;
        await LogStream.FollowAsync(
            stream,
            log,
            following.Tail,
            cursor,
            () => storage() ?? other.Tail.TakeNewest(ref next)
        );
    }

    private sealed class Feed(Func<HttpContext, Task> open) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => open(httpContext);
    }
}
