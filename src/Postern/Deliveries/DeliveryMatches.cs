using System.Text.Json;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// Finds the ids of the deliveries that match a filter, for actions on many deliveries, and counts their outcomes.
/// </summary>
internal sealed class DeliveryMatches(Database database)
{
    /// <summary>The most dead deliveries that are summed up: the newest.</summary>
    public const int MostSummed = 10_000;
    private const int MostSums = 50;
    private static readonly ListOrder Newest = new("delivery", null);

    /// <summary>Returns a page of ids, newest first.</summary>
    public ValueTask<Listed<string>> PageAsync(
        string project,
        DeliveryFilter filter,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    ) => ListSearch.IdsAsync(database, Newest, after, limit, tx => DeliveryStore.Narrow(tx, project, filter), cancel);

    /// <summary>Returns whether a delivery matches a filter.</summary>
    public static ValueTask<bool> IsFoundAsync(Tx tx, string project, string id, DeliveryFilter filter) =>
        DeliveryStore.Narrow(tx, project, filter).IsFoundAsync(Newest, id);

    /// <summary>Counts the deliveries that a filter finds, by status, purpose and endpoint.</summary>
    public ValueTask<ListCounts> CountsAsync(string project, DeliveryFilter filter) =>
        database.SearchAsync(tx =>
            ListCounts.OfAsync(
                DeliveryStore.Narrow(tx, project, filter),
                Newest,
                filter.Text is not null,
                ("status", "status"),
                ("purpose", "purpose"),
                ("endpoint", "endpoint")
            )
        );

    /// <summary>Counts some deliveries by their status.</summary>
    /// <param name="ids">10,000 at most.</param>
    public ValueTask<Dictionary<string, long>> StatusesAsync(string project, IReadOnlyList<string> ids) =>
        database.SearchAsync(async tx =>
        {
            var counted = await tx.ListAsync(
                $"""
                SELECT status, COUNT(*) FROM delivery WHERE project = $1 AND {tx.IsAnyOf("id", "$2")} GROUP BY status
                """,
                r => (r.GetString(0), r.GetInt64(1)),
                project,
                JsonSerializer.Serialize(ids)
            );
            return counted.ToDictionary(c => c.Item1, c => c.Item2, StringComparer.Ordinal);
        });

    /// <summary>
    /// Sums up the dead deliveries by endpoint and last answer, most frequent first; of more than
    /// <see cref="MostSummed"/> the newest.
    /// </summary>
    /// <param name="shown">A condition on the table that they fulfil; null: none.</param>
    public ValueTask<List<DeadSum>> DeadAsync(string project, string? shown) =>
        database.SearchAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT endpoint, answer, COUNT(*), MIN(created_at), MAX(created_at) FROM (
                  SELECT d.endpoint, d.created_at, {AnswerOf("a")} AS answer FROM (
                    SELECT project, id, endpoint, created_at, attempts FROM delivery
                    WHERE project = $1 AND status = 'dead'{(shown is null ? "" : " AND " + shown)}
                    ORDER BY id DESC LIMIT $2) AS d
                  LEFT JOIN delivery_attempt a ON a.project = d.project AND a.delivery = d.id AND a.number = d.attempts
                ) AS dead
                GROUP BY endpoint, answer ORDER BY COUNT(*) DESC, endpoint, answer LIMIT $3
                """,
                r => new DeadSum(r.GetString(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4)),
                project,
                (long)MostSummed,
                (long)MostSums
            )
        );

    /// <summary>
    /// Returns an expression for the answer to an attempt: its status, else why there was none, else
    /// <see cref="DeadSum.Unsent"/>.
    /// </summary>
    private static string AnswerOf(string attempt) =>
        $"COALESCE(CAST({attempt}.status AS text), {attempt}.category, '{DeadSum.Unsent}')";

    /// <summary>Returns a condition on the table <c>delivery</c>: its last attempt had this answer.</summary>
    public const string IsAnswered =
        "COALESCE((SELECT COALESCE(CAST(a.status AS text), a.category) FROM delivery_attempt a "
        + "WHERE a.project = delivery.project AND a.delivery = delivery.id AND a.number = delivery.attempts), "
        + "'unsent') = {0}";
}
