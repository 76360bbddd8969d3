using Postern.Access;
using Postern.Storage;

namespace Postern.Live;

/// <summary>
/// Requests that ask repeatedly until something exists, their time is over, or the server stops. Then each answers with
/// what there is, and its client asks again, on another node.
/// </summary>
internal sealed class LongPolls(Database database, StreamRegistry registry, ServerLife life)
{
    /// <summary>Begins one; the caller ends it.</summary>
    /// <param name="http">The request.</param>
    /// <param name="caller">Who waits; asked again at each wake whether he may still.</param>
    /// <param name="topic">What announces that it is worth asking again.</param>
    /// <param name="time">How long it waits at most.</param>
    /// <param name="row">The row that moves with the topic; null where there is none.</param>
    public LongPoll Begin(HttpContext http, ProjectCaller caller, string topic, TimeSpan time, WatchedRow? row = null)
    {
        var changed = new AsyncSignal();
        return new LongPoll(
            registry.Wait(http, caller),
            changed,
            database.Changes.Listen(topic, changed.Set, row),
            life.Stopping,
            new Deadline(life.Clock, time)
        );
    }
}
