using Postern.Storage;

namespace Postern.Runs;

/// <summary>What a filter finds, by the ids alone: for what is done to many runs.</summary>
internal sealed class RunMatches(Database database)
{
    private static readonly ListOrder Newest = new("run", "created_at");

    /// <summary>A page of ids, newest first.</summary>
    public ValueTask<Listed<string>> PageAsync(
        string project,
        RunFilter filter,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    ) => ListSearch.IdsAsync(database, Newest, after, limit, tx => RunStore.Narrow(tx, project, filter), cancel);

    /// <summary>Returns whether a filter finds this run.</summary>
    public static ValueTask<bool> IsFoundAsync(Tx tx, string project, string id, RunFilter filter) =>
        RunStore.Narrow(tx, project, filter).IsFoundAsync(Newest, id);
}
