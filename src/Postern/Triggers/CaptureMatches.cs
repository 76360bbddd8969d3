using Postern.Storage;

namespace Postern.Triggers;

/// <summary>What a filter finds of the captures of a trigger, by the ids alone: for what is done to many.</summary>
internal sealed class CaptureMatches(Database database)
{
    private static readonly ListOrder Newest = new("capture", "at");

    /// <summary>A page of ids, newest first.</summary>
    public ValueTask<Listed<(long At, string Id)>> PageAsync(
        string project,
        CaptureFilter filter,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    ) =>
        ListSearch.FindAsync(
            database,
            Newest,
            after,
            limit,
            tx => Narrow(tx, project, filter),
            "at, id",
            r => (r.GetInt64(0), r.GetString(1)),
            r => r,
            cancel
        );

    /// <summary>Whether a filter finds this capture.</summary>
    public static async ValueTask<bool> IsFoundAsync(Tx tx, string project, string id, CaptureFilter filter)
    {
        var query = Narrow(tx, project, filter).And("id = {0}", id);
        return await tx.FirstAsync($"SELECT 1 FROM capture WHERE {query.Where}", r => r.GetInt64(0), query.Args) == 1;
    }

    private static ListQuery Narrow(Tx tx, string project, CaptureFilter filter) =>
        new ListQuery(tx, "project = $1 AND trigger_uid = $2", project, filter.TriggerUid)
            .AnyOf("status", filter.Statuses)
            .AnyOf("reason", filter.Reasons)
            .And("at >= {0}", filter.From)
            .And("at <= {0}", filter.To);
}
