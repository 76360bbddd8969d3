using System.Text.Json;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// The rows of deliveries. A node that sends holds a lease with a fencing number; a node that lost its lease records
/// nothing.
/// </summary>
internal sealed class DeliveryStore(Database database)
{
    private const int DueAtOnce = 2048;

    /// <summary>
    /// The most deliveries of one endpoint that are claimed together. The database plans by this number, because it
    /// does not know how much room there is.
    /// </summary>
    private const int MostClaimed = 1024;

    private const int WalkedAtOnce = 256;

    /// <summary>
    /// Returns endpoints with something due, in their order. One statement finds those of the oldest due deliveries
    /// without reading later ones. When more is due than it reads, a bounded walk through all endpoints finds further
    /// ones, so that the backlog of one does not hide the others. The walk begins after <paramref name="walked"/>, and
    /// its end is returned.
    /// </summary>
    public ValueTask<(List<(string Project, string Endpoint)> Due, (string, string) Walked)> DueEndpointsAsync(
        (string, string) walked
    ) =>
        database.ReadAsync(async tx =>
        {
            var oldest = await tx.ListAsync(
                """
                SELECT project, endpoint, COUNT(*) FROM (
                  SELECT project, endpoint FROM delivery WHERE due_at <= $1 ORDER BY due_at LIMIT $2) AS oldest
                GROUP BY project, endpoint
                """,
                r => (Endpoint: (r.GetString(0), r.GetString(1)), Due: r.GetInt64(2)),
                tx.Now,
                DueAtOnce
            );
            var found = oldest.Select(o => o.Endpoint).ToHashSet();
            if (oldest.Sum(o => o.Due) >= DueAtOnce)
                walked = await WalkAsync(tx, walked, found);
            return (found.OrderBy(e => e, PlaceOrder).ToList(), walked);
        });

    /// <summary>The order of endpoints, the same in every round.</summary>
    public static Comparer<(string Project, string Endpoint)> PlaceOrder { get; } =
        Comparer<(string Project, string Endpoint)>.Create(
            (a, b) =>
                string.CompareOrdinal(a.Project, b.Project) is not 0 and var order
                    ? order
                    : string.CompareOrdinal(a.Endpoint, b.Endpoint)
        );

    private static async ValueTask<(string, string)> WalkAsync(
        Tx tx,
        (string Project, string Endpoint) after,
        HashSet<(string, string)> found
    )
    {
        var at = after;
        for (var step = 0; step < WalkedAtOnce; step++)
        {
            var next = await tx.FirstAsync<(string Project, string Endpoint, long DueAt)?>(
                """
                SELECT project, endpoint, due_at FROM delivery
                WHERE (project, endpoint) > ($1, $2) AND due_at IS NOT NULL
                ORDER BY project, endpoint, due_at LIMIT 1
                """,
                r => (r.GetString(0), r.GetString(1), r.GetInt64(2)),
                at.Project,
                at.Endpoint
            );
            if (next is not { } there)
                return ("", "");
            at = (there.Project, there.Endpoint);
            if (there.DueAt <= tx.Now)
                found.Add(at);
        }
        return at;
    }

    /// <summary>
    /// Claims due deliveries of some endpoints under a lease, oldest first, up to the share of each endpoint.
    /// </summary>
    public Task<List<Delivery>> ClaimAsync(
        IReadOnlyList<(string Project, string Endpoint, int Room)> endpoints,
        TimeSpan lease
    ) =>
        database.WriteAsync(async tx =>
        {
            var claimed = new List<Delivery>();
            foreach (var (project, endpoint, room) in endpoints)
            {
                claimed.AddRange(
                    await tx.ListAsync(
                        $"""
                        UPDATE delivery SET due_at = $4, leased_at = $3, lease_no = lease_no + 1
                        WHERE (project, id) IN (SELECT project, id FROM (
                          SELECT project, id FROM delivery
                          WHERE project = $1 AND endpoint = $2 AND due_at <= $3
                          ORDER BY due_at LIMIT {MostClaimed}{tx.ForUpdateSkipLocked}) AS due LIMIT $5)
                        RETURNING {Row<Delivery>.Columns}
                        """,
                        Row<Delivery>.Read,
                        project,
                        endpoint,
                        tx.Now,
                        tx.Now + (long)lease.TotalMicroseconds,
                        (long)room
                    )
                );
            }
            return claimed;
        });

    /// <summary>
    /// Renews leases. Rows that are just being recorded are passed over, so this waits for nobody. A lease that another
    /// node has taken meanwhile becomes a little longer, which does no harm.
    /// </summary>
    public Task<int> RenewAsync(IReadOnlyList<(string Project, string Id)> held, TimeSpan lease) =>
        database.WriteAsync(async tx =>
        {
            var renewed = 0;
            var isHeld = tx.IsAnyOf("id", "$2");
            foreach (var project in held.GroupBy(h => h.Project, h => h.Id))
            {
                renewed += await tx.ExecuteAsync(
                    $"""
                    UPDATE delivery SET due_at = $3 WHERE (project, id) IN (
                      SELECT project, id FROM delivery WHERE project = $1 AND {isHeld}
                        AND status = 'pending' AND leased_at IS NOT NULL{tx.ForUpdateSkipLocked})
                    """,
                    project.Key,
                    JsonSerializer.Serialize(project),
                    tx.Now + (long)lease.TotalMicroseconds
                );
            }
            return renewed;
        });

    /// <summary>Releases claimed deliveries that were not sent.</summary>
    public Task<int> ReleaseAsync(IReadOnlyList<Delivery> deliveries, long dueAt) =>
        database.WriteAsync(async tx =>
        {
            var released = 0;
            tx.Notify(Topics.Deliveries);
            foreach (var d in deliveries)
                released += await tx.ExecuteAsync(
                    """
                    UPDATE delivery
                    SET due_at = $4, leased_at = NULL
                    WHERE project = $1 AND id = $2 AND lease_no = $3 AND status = 'pending'
                    """,
                    d.Project,
                    d.Id,
                    d.LeaseNo,
                    dueAt
                );
            return released;
        });

    /// <summary>
    /// Releases all leases at the start on a database that only this process uses: their holder is a process that has
    /// ended.
    /// </summary>
    public Task<int> ReleaseAllAsync() =>
        database.WriteAsync(async tx =>
            await tx.ExecuteAsync(
                "UPDATE delivery SET due_at = $1, leased_at = NULL WHERE status = 'pending' AND leased_at IS NOT NULL",
                tx.Now
            )
        );

    public ValueTask<List<Delivery>> OverdueAsync(int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Row<Delivery>.Columns}
                FROM delivery
                WHERE status = 'pending' AND give_up_at <= $1
                ORDER BY give_up_at LIMIT $2
                """,
                Row<Delivery>.Read,
                tx.Now,
                limit
            )
        );

    public static ValueTask<Delivery?> FindAsync(Tx tx, string project, string id) =>
        tx.FirstAsync(
            $"SELECT {Row<Delivery>.Columns} FROM delivery WHERE project = $1 AND id = $2{tx.ForUpdate}",
            Row<Delivery>.Read,
            project,
            id
        );

    /// <summary>Returns the ids with this beginning.</summary>
    /// <param name="shown">A condition on the row; null: none.</param>
    public ValueTask<List<string>> BeginningWithAsync(string project, string text, string? shown, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT id FROM delivery
                WHERE project = $1 AND id >= $2 AND id < $3 {(shown is null ? "" : "AND " + shown)}
                ORDER BY id LIMIT $4
                """,
                r => r.GetString(0),
                project,
                text,
                text + "~",
                (long)limit
            )
        );

    /// <summary>The same without a lock, for code that must lock other rows first.</summary>
    public static ValueTask<Delivery?> PeekAsync(Tx tx, string project, string id) =>
        tx.FirstAsync(
            $"SELECT {Row<Delivery>.Columns} FROM delivery WHERE project = $1 AND id = $2",
            Row<Delivery>.Read,
            project,
            id
        );

    /// <param name="project">Whose it is.</param>
    /// <param name="id">Its id.</param>
    /// <param name="shown">A condition on the row; null: none.</param>
    public ValueTask<Delivery?> FindAsync(string project, string id, string? shown = null) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                $"""
                SELECT {Row<Delivery>.Columns}
                FROM delivery
                WHERE project = $1 AND id = $2{(shown is null ? "" : " AND " + shown)}
                """,
                Row<Delivery>.Read,
                project,
                id
            )
        );

    public ValueTask<List<(long Number, Attempt Attempt)>> AttemptsAsync(string project, string id) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                """
                SELECT number, at, duration_ms, status, category, response
                FROM delivery_attempt
                WHERE project = $1 AND delivery = $2
                ORDER BY number LIMIT 1000
                """,
                r =>
                    (
                        r.GetInt64(0),
                        new Attempt(
                            r.GetInt64(1),
                            r.GetInt64(2),
                            (int?)r.LongOrNull(3),
                            r.GetString(4),
                            r.TextOrNull(5)
                        )
                    ),
                project,
                id
            )
        );

    /// <summary>Counts the matches of a filter, up to a number.</summary>
    public ValueTask<long> CountAsync(string project, DeliveryFilter filter, long most) =>
        database.ReadAsync(tx =>
        {
            var query = Narrow(tx, project, filter);
            var limit = query.Arg(most);
            return tx.FirstAsync(
                $"SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE {query.Where} LIMIT {limit}) AS counted",
                r => r.GetInt64(0),
                query.Args
            );
        });

    /// <summary>Returns a page, newest first.</summary>
    public ValueTask<Listed<Delivery>> ListAsync(
        string project,
        DeliveryFilter filter,
        string? before,
        int limit,
        CancellationToken cancel
    ) =>
        ListSearch.FindAsync(
            database,
            Newest,
            Place(before),
            limit,
            tx => Narrow(tx, project, filter),
            Row<Delivery>.Columns,
            Row<Delivery>.Read,
            d => (0, d.Id),
            cancel,
            filter.Text is null ? int.MaxValue : ListSearch.MostForText
        );

    /// <summary>
    /// Returns those of the next <paramref name="rows"/> rows that match the filter, newest first, and the id behind
    /// which the next rows are; null when these were the last.
    /// </summary>
    public static async ValueTask<(List<Delivery> Found, string? Next)> NextAsync(
        Tx tx,
        string project,
        DeliveryFilter filter,
        string? before,
        int rows
    )
    {
        var query = Narrow(tx, project, filter);
        var end = await query.EndOfStretchAsync(Newest, Place(before), rows - 1);
        query.Beyond(Newest, Place(before)).UpTo(Newest, end);
        return (await query.ReadAsync(Newest, Row<Delivery>.Columns, Row<Delivery>.Read, rows), end?.Id);
    }

    private static readonly ListOrder Newest = new("delivery", null);

    private static (long, string)? Place(string? before) => before is null ? null : (0, before);

    /// <summary>A condition with an index comes first, so that a stretch reads no other rows.</summary>
    public static ListQuery Narrow(Tx tx, string project, DeliveryFilter filter)
    {
        var query = (filter.Status, filter.Subject) switch
        {
            (_, { } subject) => new ListQuery(tx, "project = $1 AND subject = $2", project, subject).And(
                "status = {0}",
                filter.Status
            ),
            ({ } status, null) => new ListQuery(tx, "project = $1 AND status = $2", project, status),
            _ => new ListQuery(tx, "project = $1", project),
        };
        query
            .AnyOf("id", filter.Ids)
            .And("endpoint = {0}", filter.Endpoint)
            .And("purpose = {0}", filter.Purpose)
            .And("created_at >= {0}", filter.Since)
            .And("created_at < {0}", filter.Until)
            .And(DeliveryMatches.IsAnswered, filter.Answer)
            .Holds(filter.Text, "reason", "type", "subject")
            .And("(replayed_at IS NULL OR replayed_at < {0})", filter.NotReplayedSince);
        return filter.Shown is null ? query : query.And(filter.Shown);
    }

    /// <summary>Removes one batch after its retention: ended deliveries with their attempts, and events.</summary>
    public Task<int> SweepAsync(long before, int limit) =>
        database.WriteAsync(async tx =>
        {
            var old = await tx.ListAsync(
                $"""
                SELECT project, id FROM delivery WHERE ended_at < $1
                ORDER BY ended_at LIMIT {limit}{tx.ForUpdateSkipLocked}
                """,
                r => (r.GetString(0), r.GetString(1)),
                before
            );
            foreach (var (project, id) in old)
            {
                await tx.ExecuteAsync("DELETE FROM delivery_attempt WHERE project = $1 AND delivery = $2", project, id);
                await tx.ExecuteAsync("DELETE FROM delivery WHERE project = $1 AND id = $2", project, id);
            }
            return old.Count
                + await tx.ExecuteAsync(
                    $"""
                    DELETE FROM event WHERE (project, id) IN (
                      SELECT project, id FROM event WHERE at < $1 LIMIT {limit}{tx.ForUpdateSkipLocked})
                    """,
                    before
                );
        });
}
