using System.Data.Common;
using System.Text.Json;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>The deliveries' rows. A node that sends holds a lease with a fencing number; whoever lost it records nothing.</summary>
internal sealed class DeliveryStore(Database database)
{
    private const string Columns = """
        project, id, purpose, endpoint, subject, type, detail, body, status, reason, ordered, created_at, due_at, lease_no, give_up_at, attempts, tries, ended_at
        """;

    private const int DueALook = 2048;
    private const int WalkALook = 256;

    /// <summary>Writes a delivery in the transaction that causes it. Behind another of its chain it becomes due when that has ended.</summary>
    public static async ValueTask InsertAsync(Tx tx, string id, NewDelivery d)
    {
        // The last of the chain is locked: it cannot end between this look and this commit without seeing the new one behind it.
        var last = d.Ordered
            ? await tx.FirstAsync(tx.ForUpdate.Length == 0 ? LastOfChain : LastOfChainForUpdate, r => (long?)r.GetInt64(0), d.Project, d.Endpoint, d.Subject)
            : null;
        await tx.ExecuteAsync(
            """
            INSERT INTO delivery (project, id, purpose, endpoint, subject, type, detail, body, status, ordered, place, created_at, due_at, lease_no, give_up_at, attempts, tries)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10, $11, $12, 0, $13, 0, 0)
            """, d.Project, id, d.Purpose, d.Endpoint, d.Subject, d.Type, d.Detail, d.Body, d.Ordered ? 1L : 0L, last + 1 ?? 0, tx.Now, last is null ? tx.Now : null, d.GiveUpAt);
        if (last is null) tx.Touch(Topics.Deliveries);
    }

    private const string LastOfChain = "SELECT place FROM delivery WHERE project = $1 AND endpoint = $2 AND subject = $3 AND status = 'pending' AND ordered = 1 ORDER BY place DESC LIMIT 1";
    private const string LastOfChainForUpdate = LastOfChain + " FOR UPDATE";

    /// <summary>
    /// Endpoints with something due, in their order. Those of the oldest that are due are found by one statement, which
    /// does not see what is due later. When more is due than it looks at, a bounded walk through all endpoints adds to them,
    /// so that the backlog of one hides no other: it begins after <paramref name="walked"/> and returns where it ended.
    /// </summary>
    public ValueTask<(List<(string Project, string Endpoint)> Due, (string, string) Walked)> DueEndpointsAsync((string, string) walked) =>
        database.ReadAsync(async tx =>
        {
            var oldest = await tx.ListAsync(
                """
                SELECT project, endpoint, COUNT(*) FROM (
                  SELECT project, endpoint FROM delivery WHERE due_at <= $1 ORDER BY due_at LIMIT $2) AS oldest
                GROUP BY project, endpoint
                """, r => (Endpoint: (r.GetString(0), r.GetString(1)), Due: r.GetInt64(2)), tx.Now, DueALook);
            var found = oldest.Select(o => o.Endpoint).ToHashSet();
            if (oldest.Sum(o => o.Due) >= DueALook) walked = await WalkAsync(tx, walked, found);
            return (found.OrderBy(e => e, PlaceOrder).ToList(), walked);
        });

    /// <summary>The order of endpoints among themselves, the same in every round.</summary>
    public static Comparer<(string Project, string Endpoint)> PlaceOrder { get; } = Comparer<(string Project, string Endpoint)>.Create(
        (a, b) => string.CompareOrdinal(a.Project, b.Project) is not 0 and var order ? order : string.CompareOrdinal(a.Endpoint, b.Endpoint));

    private static async ValueTask<(string, string)> WalkAsync(Tx tx, (string Project, string Endpoint) after, HashSet<(string, string)> found)
    {
        var at = after;
        for (var step = 0; step < WalkALook; step++)
        {
            var next = await tx.FirstAsync<(string Project, string Endpoint, long DueAt)?>(
                """
                SELECT project, endpoint, due_at FROM delivery WHERE (project, endpoint) > ($1, $2) AND due_at IS NOT NULL
                ORDER BY project, endpoint, due_at LIMIT 1
                """, r => (r.GetString(0), r.GetString(1), r.GetInt64(2)), at.Project, at.Endpoint);
            if (next is not { } there) return ("", "");
            at = (there.Project, there.Endpoint);
            if (there.DueAt <= tx.Now) found.Add(at);
        }
        return at;
    }

    /// <summary>Takes due deliveries of some endpoints under a lease, oldest first, each endpoint's share.</summary>
    public Task<List<Delivery>> ClaimAsync(IReadOnlyList<(string Project, string Endpoint, int Room)> endpoints, TimeSpan lease) =>
        database.WriteAsync(async tx =>
        {
            var claimed = new List<Delivery>();
            foreach (var (project, endpoint, room) in endpoints)
            {
                claimed.AddRange(await tx.ListAsync(
                    $"""
                    UPDATE delivery SET due_at = $4, leased_at = $3, lease_no = lease_no + 1
                    WHERE (project, id) IN (SELECT project, id FROM delivery WHERE project = $1 AND endpoint = $2 AND due_at <= $3 ORDER BY due_at LIMIT $5{tx.ForUpdateSkipLocked})
                    RETURNING {Columns}
                    """, Map, project, endpoint, tx.Now, tx.Now + (long)lease.TotalMicroseconds, (long)room));
            }
            return claimed;
        });

    /// <summary>
    /// Holds on to what was claimed. What is being recorded at the moment is passed over, so this waits for nobody. A lease that
    /// another has taken over meanwhile lasts a little longer, which harms nobody.
    /// </summary>
    public Task<int> RenewAsync(IReadOnlyList<(string Project, string Id)> held, TimeSpan lease) =>
        database.WriteAsync(async tx =>
        {
            var renewed = 0;
            foreach (var project in held.GroupBy(h => h.Project, h => h.Id))
            {
                renewed += await tx.ExecuteAsync(
                    $"""
                    UPDATE delivery SET due_at = $3 WHERE (project, id) IN (
                      SELECT project, id FROM delivery WHERE project = $1 AND {tx.IsAnyOf("id", "$2")} AND status = 'pending'
                        AND leased_at IS NOT NULL{tx.ForUpdateSkipLocked})
                    """, project.Key, JsonSerializer.Serialize(project), tx.Now + (long)lease.TotalMicroseconds);
            }
            return renewed;
        });

    /// <summary>Gives back what was claimed and not sent.</summary>
    public Task<int> ReleaseAsync(IReadOnlyList<Delivery> deliveries, long dueAt) =>
        database.WriteAsync(async tx =>
        {
            var released = 0;
            tx.Touch(Topics.Deliveries);
            foreach (var d in deliveries)
                released += await tx.ExecuteAsync("UPDATE delivery SET due_at = $4, leased_at = NULL WHERE project = $1 AND id = $2 AND lease_no = $3 AND status = 'pending'", d.Project, d.Id, d.LeaseNo, dueAt);
            return released;
        });

    /// <summary>After a start on a database that no other process serves: whatever was claimed was claimed by a process that is gone.</summary>
    public Task<int> ReleaseAllAsync() =>
        database.WriteAsync(async tx => await tx.ExecuteAsync("UPDATE delivery SET due_at = $1, leased_at = NULL WHERE status = 'pending' AND leased_at IS NOT NULL", tx.Now));

    /// <summary>Sent, and to be sent again at a time. False: the lease was lost.</summary>
    public static async ValueTask<bool> PostponeAsync(Tx tx, Delivery d, Attempt attempt, long dueAt)
    {
        if (await tx.ExecuteAsync(
            "UPDATE delivery SET due_at = $4, leased_at = NULL, attempts = attempts + 1, tries = tries + 1, reason = $5 WHERE project = $1 AND id = $2 AND lease_no = $3 AND status = 'pending'",
            d.Project, d.Id, d.LeaseNo, dueAt, attempt.Words) != 1) return false;
        await InsertAttemptAsync(tx, d, attempt);
        return true;
    }

    /// <summary>The end: delivered (no reason) or dead. The next of its chain becomes due. False: the lease was lost, or it had ended.</summary>
    public static async ValueTask<bool> EndAsync(Tx tx, Delivery d, Attempt? attempt, string? reason)
    {
        // Without an attempt (time, a person) whoever holds the lease loses it.
        var ended = attempt is null
            ? await tx.ExecuteAsync(
                "UPDATE delivery SET status = 'dead', reason = $3, due_at = NULL, leased_at = NULL, ended_at = $4, lease_no = lease_no + 1 WHERE project = $1 AND id = $2 AND status = 'pending'",
                d.Project, d.Id, reason, tx.Now)
            : await tx.ExecuteAsync(
                "UPDATE delivery SET status = $4, reason = $5, due_at = NULL, leased_at = NULL, ended_at = $6, attempts = attempts + 1, tries = tries + 1 WHERE project = $1 AND id = $2 AND lease_no = $3 AND status = 'pending'",
                d.Project, d.Id, d.LeaseNo, reason is null ? Delivery.Delivered : Delivery.Dead, reason, tx.Now);
        if (ended != 1) return false;
        if (attempt is not null) await InsertAttemptAsync(tx, d, attempt);
        if (d.Ordered && await tx.ExecuteAsync(
            """
            UPDATE delivery SET due_at = $4 WHERE due_at IS NULL AND (project, id) = (
              SELECT project, id FROM delivery WHERE project = $1 AND endpoint = $2 AND subject = $3 AND status = 'pending' AND ordered = 1 ORDER BY place LIMIT 1)
            """, d.Project, d.Endpoint, d.Subject, tx.Now) == 1) tx.Touch(Topics.Deliveries);
        return true;
    }

    /// <summary>An ended delivery goes out again, at once, whatever its chain is doing. False: it was pending.</summary>
    public static async ValueTask<bool> AgainAsync(Tx tx, Delivery d, long giveUpAt)
    {
        tx.Touch(Topics.Deliveries);
        return await tx.ExecuteAsync(
            """
            UPDATE delivery SET status = 'pending', reason = NULL, ended_at = NULL, ordered = 0, tries = 0, due_at = $3, give_up_at = $4,
              lease_no = lease_no + 1, replayed_at = CASE WHEN status = 'delivered' THEN $3 ELSE replayed_at END
            WHERE project = $1 AND id = $2 AND status <> 'pending'
            """, d.Project, d.Id, tx.Now, giveUpAt) == 1;
    }

    public ValueTask<List<Delivery>> OverdueAsync(int limit) =>
        database.ReadAsync(tx => tx.ListAsync($"SELECT {Columns} FROM delivery WHERE status = 'pending' AND give_up_at <= $1 ORDER BY give_up_at LIMIT $2", Map, tx.Now, limit));

    /// <summary>
    /// Ends what waits for an endpoint that was disabled or deleted, a batch, and returns how many. What somebody else holds
    /// is passed over: nobody is waited for, so many at once come to no deadlock. Those behind others go first, and the first
    /// of a chain not before them: a chain that is left over begins with one that is due, and so ends by itself. What is under
    /// way is recorded by its sender.
    /// </summary>
    public static async ValueTask<int> EndWaitingAsync(Tx tx, string project, string endpoint, string reason, int limit)
    {
        var behind = await EndAllAsync("due_at IS NULL");
        return behind > 0 ? behind : await EndAllAsync(
            """
            due_at IS NOT NULL AND leased_at IS NULL AND NOT EXISTS (
              SELECT 1 FROM delivery n WHERE n.project = d.project AND n.endpoint = d.endpoint AND n.subject = d.subject
                AND n.status = 'pending' AND n.due_at IS NULL)
            """);

        ValueTask<int> EndAllAsync(string which) => tx.ExecuteAsync(
            $"""
            UPDATE delivery SET status = 'dead', reason = $3, due_at = NULL, leased_at = NULL, ended_at = $4, lease_no = lease_no + 1
            WHERE (project, id) IN (
              SELECT d.project, d.id FROM delivery d WHERE d.project = $1 AND d.endpoint = $2 AND d.status = 'pending' AND {which}
              LIMIT $5{tx.ForUpdateSkipLocked})
            """, project, endpoint, reason, tx.Now, (long)limit);
    }

    public static ValueTask<Delivery?> FindAsync(Tx tx, string project, string id) =>
        tx.FirstAsync($"SELECT {Columns} FROM delivery WHERE project = $1 AND id = $2{tx.ForUpdate}", Map, project, id);

    /// <param name="project">Whose it is.</param>
    /// <param name="id">Its id.</param>
    /// <param name="shown">A condition on the table that it must fulfil; null: none.</param>
    public ValueTask<Delivery?> FindAsync(string project, string id, string? shown = null) =>
        database.ReadAsync(tx => tx.FirstAsync(
            $"SELECT {Columns} FROM delivery WHERE project = $1 AND id = $2{(shown is null ? "" : " AND " + shown)}",
            Map, project, id));

    public ValueTask<List<(long Number, Attempt Attempt)>> AttemptsAsync(string project, string id) =>
        database.ReadAsync(tx => tx.ListAsync(
            "SELECT number, at, duration_ms, status, category, response FROM delivery_attempt WHERE project = $1 AND delivery = $2 ORDER BY number LIMIT 1000",
            r => (r.GetInt64(0), new Attempt(r.GetInt64(1), r.GetInt64(2), (int?)r.LongOrNull(3), r.GetString(4), r.TextOrNull(5))), project, id));

    /// <summary>A page, newest first.</summary>
    public ValueTask<Listed<Delivery>> ListAsync(
        string project, DeliveryFilter filter, string? before, int limit, CancellationToken cancel) =>
        ListSearch.FindAsync(
            database, Newest, Place(before), limit, tx => Narrow(tx, project, filter), Columns, Map, d => (0, d.Id),
            cancel);

    /// <summary>
    /// Returns those of the next <paramref name="rows"/> rows that the filter names, newest first, and the id behind
    /// which the next ones stand; null when these were the last.
    /// </summary>
    public static async ValueTask<(List<Delivery> Found, string? Next)> NextAsync(
        Tx tx, string project, DeliveryFilter filter, string? before, int rows)
    {
        var query = Narrow(tx, project, filter);
        var end = await query.EndOfStretchAsync(Newest, Place(before), rows - 1);
        query.Beyond(Newest, Place(before)).UpTo(Newest, end);
        return (await query.ReadAsync(Newest, Columns, Map, rows), end?.Id);
    }

    private static readonly ListOrder Newest = new("delivery", null);

    private static (long, string)? Place(string? before) => before is null ? null : (0, before);

    /// <summary>What an index serves comes first: a stretch goes through nothing else.</summary>
    private static ListQuery Narrow(Tx tx, string project, DeliveryFilter filter)
    {
        var query = (filter.Status, filter.Subject) switch
        {
            (_, { } subject) => new ListQuery(tx, "project = $1 AND subject = $2", project, subject)
                .And("status = {0}", filter.Status),
            ({ } status, null) => new ListQuery(tx, "project = $1 AND status = $2", project, status),
            _ => new ListQuery(tx, "project = $1", project),
        };
        query.And("endpoint = {0}", filter.Endpoint)
            .And("purpose = {0}", filter.Purpose)
            .And("created_at >= {0}", filter.Since)
            .And("created_at < {0}", filter.Until)
            .And("(replayed_at IS NULL OR replayed_at < {0})", filter.NotReplayedSince);
        return filter.Shown is null ? query : query.And(filter.Shown);
    }

    /// <summary>Retention, one batch: ended deliveries with their attempts, and events.</summary>
    public Task<int> SweepAsync(long before, int limit) =>
        database.WriteAsync(async tx =>
        {
            var old = await tx.ListAsync("SELECT project, id FROM delivery WHERE ended_at < $1 ORDER BY ended_at LIMIT $2", r => (r.GetString(0), r.GetString(1)), before, limit);
            foreach (var (project, id) in old)
            {
                await tx.ExecuteAsync("DELETE FROM delivery_attempt WHERE project = $1 AND delivery = $2", project, id);
                await tx.ExecuteAsync("DELETE FROM delivery WHERE project = $1 AND id = $2", project, id);
            }
            return old.Count + await tx.ExecuteAsync("DELETE FROM event WHERE (project, id) IN (SELECT project, id FROM event WHERE at < $1 LIMIT $2)", before, limit);
        });

    private static ValueTask<int> InsertAttemptAsync(Tx tx, Delivery d, Attempt a) =>
        tx.ExecuteAsync(
            "INSERT INTO delivery_attempt (project, delivery, number, at, duration_ms, status, category, response) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            d.Project, d.Id, d.Attempts + 1, a.At, a.DurationMilliseconds, (long?)a.Status, a.Category, a.Response);

    private static Delivery Map(DbDataReader r) => new(
        r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), r.GetString(5), r.TextOrNull(6), r.BytesOrNull(7), r.GetString(8), r.TextOrNull(9), r.Flag(10),
        r.GetInt64(11), r.LongOrNull(12), r.GetInt64(13), r.GetInt64(14), r.GetInt64(15), r.GetInt64(16), r.LongOrNull(17));
}
