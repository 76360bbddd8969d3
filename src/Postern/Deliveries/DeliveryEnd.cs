using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>Ends, postpones or repeats a delivery. The caller decides, in its own transaction.</summary>
internal static class DeliveryEnd
{
    /// <summary>
    /// Stores that it was sent and will be sent again at a time. Returns false when the lease was lost.
    /// </summary>
    public static async ValueTask<bool> PostponeAsync(Tx tx, Delivery d, Attempt attempt, long dueAt)
    {
        if (
            await tx.ExecuteAsync(
                """
                UPDATE delivery
                SET due_at = $4, leased_at = NULL, attempts = attempts + 1, tries = tries + 1, reason = $5,
                  body = COALESCE($6, body)
                WHERE project = $1 AND id = $2 AND lease_no = $3 AND status = 'pending'
                """,
                d.Project,
                d.Id,
                d.LeaseNo,
                dueAt,
                attempt.Explanation,
                attempt.Sent
            ) != 1
        )
            return false;
        await DeliveryRow.InsertAttemptAsync(tx, d, attempt);
        tx.Count(d.Project, Measure.DeliveriesPostponed);
        tx.Notify(Topics.List(d.Project, "deliveries"));
        return true;
    }

    /// <summary>
    /// Ends it as delivered (no reason) or dead. The next of its chain becomes due. Returns false when the lease was
    /// lost or it had ended.
    /// </summary>
    public static async ValueTask<bool> EndAsync(Tx tx, Delivery d, Attempt? attempt, string? reason)
    {
        // An end without an attempt (by time or by a person) also ends the lease.
        var ended = attempt is null
            ? await tx.ExecuteAsync(
                """
                UPDATE delivery
                SET status = 'dead', reason = $3, due_at = NULL, leased_at = NULL, ended_at = $4,
                  lease_no = lease_no + 1
                WHERE project = $1 AND id = $2 AND status = 'pending'
                """,
                d.Project,
                d.Id,
                reason,
                tx.Now
            )
            : await tx.ExecuteAsync(
                """
                UPDATE delivery
                SET status = $4, reason = $5, due_at = NULL, leased_at = NULL, ended_at = $6, attempts = attempts + 1,
                  tries = tries + 1, body = COALESCE($7, body)
                WHERE project = $1 AND id = $2 AND lease_no = $3 AND status = 'pending'
                """,
                d.Project,
                d.Id,
                d.LeaseNo,
                reason is null ? Delivery.Delivered : Delivery.Dead,
                reason,
                tx.Now,
                attempt.Sent
            );
        if (ended != 1)
            return false;
        tx.Notify(Topics.List(d.Project, "deliveries"));
        tx.Count(d.Project, reason is null ? Measure.DeliveriesDelivered : Measure.DeliveriesDead);
        // After a repeat, the time since its creation was not all on the way.
        if (reason is null && d.Attempts == d.Tries)
            tx.Count(d.Project, Measure.DeliveryLatency, Math.Max(0, tx.Now - d.CreatedAt));
        if (attempt is not null)
            await DeliveryRow.InsertAttemptAsync(tx, d, attempt);
        if (
            d.Ordered
            && await tx.ExecuteAsync(
                """
                UPDATE delivery SET due_at = $4 WHERE due_at IS NULL AND (project, id) = (
                  SELECT project, id FROM delivery
                  WHERE project = $1 AND endpoint = $2 AND subject = $3 AND status = 'pending' AND ordered = 1
                  ORDER BY place LIMIT 1)
                """,
                d.Project,
                d.Endpoint,
                d.Subject,
                tx.Now
            ) == 1
        )
            tx.Notify(Topics.Deliveries);
        return true;
    }

    /// <summary>
    /// Makes a delivery that waits for its next try due at once. Returns false when it does not wait, or waits behind
    /// another one.
    /// </summary>
    public static async ValueTask<bool> HurryAsync(Tx tx, Delivery delivery)
    {
        tx.Notify(Topics.Deliveries);
        return await tx.ExecuteAsync(
                """
                UPDATE delivery
                SET due_at = $3
                WHERE project = $1 AND id = $2 AND status = 'pending' AND leased_at IS NULL AND due_at > $3
                """,
                delivery.Project,
                delivery.Id,
                tx.Now
            ) == 1;
    }

    /// <summary>
    /// Sends an ended delivery again, at once, whatever its chain is doing. Returns false when it was pending.
    /// </summary>
    public static async ValueTask<bool> RequeueAsync(Tx tx, Delivery d, long giveUpAt)
    {
        tx.Notify(Topics.Deliveries);
        tx.Notify(Topics.List(d.Project, "deliveries"));
        return await tx.ExecuteAsync(
                """
                UPDATE delivery
                SET status = 'pending', reason = NULL, ended_at = NULL, ordered = 0, tries = 0, due_at = $3,
                  give_up_at = $4,
                  lease_no = lease_no + 1, replayed_at = CASE WHEN status = 'delivered' THEN $3 ELSE replayed_at END
                WHERE project = $1 AND id = $2 AND status <> 'pending'
                """,
                d.Project,
                d.Id,
                tx.Now,
                giveUpAt
            ) == 1;
    }

    /// <summary>
    /// Ends a batch of deliveries that wait for a disabled or deleted endpoint, and returns how many. Locked rows are
    /// passed over, so simultaneous calls cannot deadlock. Deliveries behind others go first, and the first of a chain
    /// last: the rest of a chain then begins with a due one, and so ends by itself. The sender records what is under
    /// way.
    /// </summary>
    public static async ValueTask<int> EndWaitingAsync(Tx tx, string project, string endpoint, string reason, int limit)
    {
        var ended = await EndAllAsync("due_at IS NULL");
        if (ended == 0)
            ended = await EndAllAsync(
                """
                due_at IS NOT NULL AND leased_at IS NULL AND NOT EXISTS (
                  SELECT 1 FROM delivery n
                  WHERE n.project = d.project AND n.endpoint = d.endpoint AND n.subject = d.subject
                    AND n.status = 'pending' AND n.due_at IS NULL)
                """
            );
        if (ended > 0)
        {
            tx.Count(project, Measure.DeliveriesDead, ended);
            tx.Notify(Topics.List(project, "deliveries"));
        }
        return ended;

        ValueTask<int> EndAllAsync(string which) =>
            tx.ExecuteAsync(
                $"""
                UPDATE delivery
                SET status = 'dead', reason = $3, due_at = NULL, leased_at = NULL, ended_at = $4,
                  lease_no = lease_no + 1
                WHERE (project, id) IN (
                  SELECT d.project, d.id FROM delivery d
                  WHERE d.project = $1 AND d.endpoint = $2 AND d.status = 'pending' AND {which}
                  LIMIT $5{tx.ForUpdateSkipLocked})
                """,
                project,
                endpoint,
                reason,
                tx.Now,
                (long)limit
            );
    }
}
