using Postern.Storage;

namespace Postern.Sessions;

/// <summary>Finds the ids of the sessions that match a filter, for actions on many sessions.</summary>
internal sealed class SessionMatches(Database database)
{
    private static readonly ListOrder Newest = new("session", "created_at");

    /// <summary>Returns a page of ids, newest first.</summary>
    public ValueTask<Listed<string>> PageAsync(
        string project,
        SessionFilter filter,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    ) => ListSearch.IdsAsync(database, Newest, after, limit, tx => SessionStore.Narrow(tx, project, filter), cancel);

    /// <summary>Returns whether a session matches a filter.</summary>
    public static ValueTask<bool> IsFoundAsync(Tx tx, string project, string id, SessionFilter filter) =>
        SessionStore.Narrow(tx, project, filter).IsFoundAsync(Newest, id);
}
