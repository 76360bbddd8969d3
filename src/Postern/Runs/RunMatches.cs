using Postern.Storage;

namespace Postern.Runs;

/// <summary>What a filter finds, by the ids alone: for what is done to many runs.</summary>
internal sealed class RunMatches(Database database)
{
    private static readonly ListOrder Newest = new("run", "created_at");

    /// <summary>A page of ids, newest first.</summary>
    public ValueTask<Listed<(long At, string Id)>> PageAsync(
        string project,
        RunFilter filter,
        int limit,
        CancellationToken cancel
    ) =>
        ListSearch.FindAsync(
            database,
            Newest,
            filter.After?.Place,
            limit,
            tx => RunStore.Narrow(tx, project, filter),
            "created_at, id",
            r => (r.GetInt64(0), r.GetString(1)),
            r => r,
            cancel
        );

    /// <summary>Whether a filter finds this run.</summary>
    public static async ValueTask<bool> IsFoundAsync(Tx tx, string project, string id, RunFilter filter)
    {
        var query = RunStore.Narrow(tx, project, filter).And("id = {0}", id);
        return await tx.FirstAsync($"SELECT 1 FROM run WHERE {query.Where}", r => r.GetInt64(0), query.Args) == 1;
    }
}
