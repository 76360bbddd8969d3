using Postern.Storage;

namespace Postern.Triggers;

/// <summary>Finds the ids of the captures that match a filter, for actions on many captures of a trigger.</summary>
internal sealed class CaptureMatches(Database database)
{
    private static readonly ListOrder Newest = new("capture", "at");

    /// <summary>Returns a page of ids, newest first.</summary>
    public ValueTask<Listed<string>> PageAsync(
        string project,
        CaptureFilter filter,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    ) => ListSearch.IdsAsync(database, Newest, after, limit, tx => Narrow(tx, project, filter), cancel);

    /// <summary>Returns whether a capture matches a filter.</summary>
    public static ValueTask<bool> IsFoundAsync(Tx tx, string project, string id, CaptureFilter filter) =>
        Narrow(tx, project, filter).IsFoundAsync(Newest, id);

    private static ListQuery Narrow(Tx tx, string project, CaptureFilter filter) =>
        new ListQuery(tx, "project = $1 AND trigger_uid = $2", project, filter.TriggerUid)
            .AnyOf("id", filter.Ids)
            .AnyOf("status", filter.Statuses)
            .AnyOf("reason", filter.Reasons)
            .And("at >= {0}", filter.From)
            .And("at <= {0}", filter.To);
}
