using Postern.Storage;

namespace Postern.Runs;

/// <summary>Finds the ids of the runs that match a filter, for actions on many runs.</summary>
internal sealed class RunMatches(Database database)
{
    private static readonly ListOrder Newest = new("run", "created_at");

    /// <summary>Returns a page of ids, newest first.</summary>
    public ValueTask<Listed<string>> PageAsync(
        string project,
        RunFilter filter,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    ) => ListSearch.IdsAsync(database, Newest, after, limit, tx => RunStore.Narrow(tx, project, filter), cancel);

    /// <summary>Returns whether a run matches a filter.</summary>
    public static ValueTask<bool> IsFoundAsync(Tx tx, string project, string id, RunFilter filter) =>
        RunStore.Narrow(tx, project, filter).IsFoundAsync(Newest, id);
}
