using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>The rows of a delivery and of its attempts.</summary>
internal static class DeliveryRow
{
    /// <summary>
    /// Writes a delivery in the transaction that causes it. Behind another one of its chain, it becomes due when that
    /// one has ended.
    /// </summary>
    public static async ValueTask InsertAsync(Tx tx, string id, NewDelivery d)
    {
        // The last of the chain is locked: it cannot end before this commit without seeing the new one behind it.
        var last = d.Ordered
            ? await tx.FirstAsync(
                tx.ForUpdate.Length == 0 ? LastOfChain : LastOfChainForUpdate,
                r => (long?)r.GetInt64(0),
                d.Project,
                d.Endpoint,
                d.Subject
            )
            : null;
        tx.Queue(
            """
            INSERT INTO delivery (project, id, purpose, endpoint, subject, type, detail, body, status, ordered, place,
              created_at, due_at, lease_no, give_up_at, attempts, tries)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10, $11, $12, 0, $13, 0, 0)
            """,
            d.Project,
            id,
            d.Purpose,
            d.Endpoint,
            d.Subject,
            d.Type,
            d.Detail,
            d.Body,
            d.Ordered ? 1L : 0L,
            last + 1 ?? 0,
            tx.Now,
            last is null ? tx.Now : null,
            d.GiveUpAt
        );
        if (last is null)
            tx.Notify(Topics.Deliveries);
        tx.Notify(Topics.List(d.Project, "deliveries"));
    }

    private const string LastOfChain = """
        SELECT place
        FROM delivery
        WHERE project = $1 AND endpoint = $2 AND subject = $3 AND status = 'pending' AND ordered = 1
        ORDER BY place DESC LIMIT 1
        """;
    private const string LastOfChainForUpdate = LastOfChain + " FOR UPDATE";

    public static ValueTask<int> InsertAttemptAsync(Tx tx, Delivery d, Attempt a) =>
        tx.ExecuteAsync(
            """
            INSERT INTO delivery_attempt (project, delivery, number, at, duration_ms, status, category, response)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            d.Project,
            d.Id,
            d.Attempts + 1,
            a.At,
            a.DurationMilliseconds,
            (long?)a.Status,
            a.Category,
            a.Response
        );
}
