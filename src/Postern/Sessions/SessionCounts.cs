using Postern.Storage;

namespace Postern.Sessions;

/// <summary>Counts the sessions that a filter finds, by agent.</summary>
internal sealed class SessionCounts(Database database)
{
    private static readonly ListOrder Newest = new("session", "created_at");

    public ValueTask<ListCounts> OfAsync(string project, SessionFilter filter) =>
        database.SearchAsync(tx =>
            ListCounts.OfAsync(
                SessionStore.Narrow(tx, project, filter),
                Newest,
                filter.Text is not null,
                ("agent", "agent")
            )
        );
}
