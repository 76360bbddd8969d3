using Postern.Storage;

namespace Postern.Sessions;

/// <summary>What a filter finds, by the ids alone: for what is done to many sessions.</summary>
internal sealed class SessionMatches(Database database)
{
    private static readonly ListOrder Newest = new("session", "created_at");

    /// <summary>A page of ids, newest first.</summary>
    public ValueTask<Listed<(long At, string Id)>> PageAsync(
        string project,
        SessionFilter filter,
        int limit,
        CancellationToken cancel
    ) =>
        ListSearch.FindAsync(
            database,
            Newest,
            filter.After?.Place,
            limit,
            tx => SessionStore.Narrow(tx, project, filter),
            "created_at, id",
            r => (r.GetInt64(0), r.GetString(1)),
            r => r,
            cancel
        );

    /// <summary>Whether a filter finds this session.</summary>
    public static async ValueTask<bool> IsFoundAsync(Tx tx, string project, string id, SessionFilter filter)
    {
        var query = SessionStore.Narrow(tx, project, filter).And("id = {0}", id);
        return await tx.FirstAsync($"SELECT 1 FROM session WHERE {query.Where}", r => r.GetInt64(0), query.Args) == 1;
    }
}
