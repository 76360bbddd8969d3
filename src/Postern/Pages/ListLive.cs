using Postern.Access;
using Postern.Live;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>One page that shows a list, and is told when something in it may have changed.</summary>
internal sealed class ListLive(
    PageStreams streams,
    StreamRegistry registry,
    Database database,
    ProjectCaller caller,
    string list
) : IResult
{
    public async Task ExecuteAsync(HttpContext http)
    {
        using var stream = new LiveStream(
            registry,
            http,
            caller,
            new RequiredScope("read", list),
            LogStream.Heartbeat,
            null
        );
        using var place = streams.Enter(((ConsoleAuthority)caller.Authority).Session.Id, stream);
        await LiveStream.BeginAsync(http);
        await new ChangeStream(stream, database, registry.Clock).FollowAsync(Topics.List(caller.Project, list));
    }
}
