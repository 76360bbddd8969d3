using System.Text.Json;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>Reads pending deliveries, for explanations of why something is not done.</summary>
internal static class DeliveryQueries
{
    private const int MostCounted = 10_000;

    /// <summary>
    /// Returns the pending deliveries of one purpose about some subjects, the newest of each, by subject, with their
    /// last attempts.
    /// </summary>
    public static async ValueTask<Dictionary<string, (Delivery Delivery, Attempt? Last)>> PendingAboutAsync(
        Tx tx,
        string project,
        IReadOnlyList<string> subjects,
        string purpose
    )
    {
        var pending = await tx.ListAsync(
            $"""
            SELECT {Row<Delivery>.Columns}
            FROM delivery
            WHERE project = $1 AND {tx.IsAnyOf("subject", "$2")} AND purpose = $3 AND status = 'pending'
            ORDER BY id
            """,
            Row<Delivery>.Read,
            project,
            JsonSerializer.Serialize(subjects),
            purpose
        );
        var tried = pending.Where(d => d.Attempts > 0).Select(d => d.Id).ToList();
        var last = await LastAttemptsAsync(tx, project, tried);
        var found = new Dictionary<string, (Delivery, Attempt?)>(StringComparer.Ordinal);
        foreach (var delivery in pending)
            found[delivery.Subject] = (delivery, last.GetValueOrDefault(delivery.Id));
        return found;
    }

    /// <summary>Returns the last attempts of some deliveries, by their ids.</summary>
    public static async ValueTask<Dictionary<string, Attempt>> LastAttemptsAsync(
        Tx tx,
        string project,
        IReadOnlyList<string> ids
    )
    {
        if (ids.Count == 0)
            return [];
        var rows = await tx.ListAsync(
            $"""
            SELECT a.delivery, a.at, a.duration_ms, a.status, a.category, a.response
            FROM delivery d
            JOIN delivery_attempt a ON a.project = d.project AND a.delivery = d.id AND a.number = d.attempts
            WHERE d.project = $1 AND {tx.IsAnyOf("d.id", "$2")}
            """,
            r =>
                (
                    r.GetString(0),
                    new Attempt(r.GetInt64(1), r.GetInt64(2), (int?)r.LongOrNull(3), r.GetString(4), r.TextOrNull(5))
                ),
            project,
            JsonSerializer.Serialize(ids)
        );
        return rows.ToDictionary(r => r.Item1, r => r.Item2, StringComparer.Ordinal);
    }

    /// <summary>Returns the subjects of deliveries that failed and are still pending, the oldest first.</summary>
    /// <param name="tx">Where it is read.</param>
    /// <param name="project">Whose.</param>
    /// <param name="purpose">Of one kind.</param>
    /// <param name="shown">A condition on the table that it must fulfil; null: none.</param>
    /// <param name="limit">So many at most.</param>
    public static ValueTask<List<(string Subject, long CreatedAt)>> TriedAsync(
        Tx tx,
        string project,
        string purpose,
        string? shown,
        int limit
    ) =>
        tx.ListAsync(
            $"""
            SELECT subject, created_at
            FROM delivery
            WHERE project = $1 AND purpose = $2 AND status = 'pending' AND attempts > 0
              {(shown is null ? "" : "AND " + shown)}
            ORDER BY id LIMIT $3
            """,
            r => (r.GetString(0), r.GetInt64(1)),
            project,
            purpose,
            (long)limit
        );

    /// <summary>
    /// Counts by status an endpoint's deliveries that ended since an instant, of the newest <see cref="MostCounted"/>.
    /// </summary>
    public static async ValueTask<Dictionary<string, long>> EndedAsync(
        Tx tx,
        string project,
        string endpoint,
        long since
    )
    {
        var rows = await tx.ListAsync(
            """
            SELECT status, COUNT(*) FROM (
              SELECT status FROM delivery
              WHERE project = $1 AND endpoint = $2 AND ended_at IS NOT NULL AND ended_at >= $3
              ORDER BY ended_at DESC LIMIT $4) AS counted
            GROUP BY status
            """,
            r => (r.GetString(0), r.GetInt64(1)),
            project,
            endpoint,
            since,
            (long)MostCounted
        );
        return rows.ToDictionary(r => r.Item1, r => r.Item2, StringComparer.Ordinal);
    }

    /// <summary>
    /// Returns the delivery to an endpoint that was tried last, with that attempt, or null. A delivery that is tried
    /// again is due late, so it is looked for among the <see cref="MostLate"/> that are due last.
    /// </summary>
    public static async ValueTask<(Delivery Delivery, Attempt? Last)?> LastTriedAsync(
        Tx tx,
        string project,
        string endpoint
    )
    {
        var found = await tx.ListAsync(
            $"""
            SELECT {Row<Delivery>.Columns}
            FROM delivery
            WHERE project = $1 AND endpoint = $2 AND ended_at IS NOT NULL
            ORDER BY ended_at DESC LIMIT 1
            """,
            Row<Delivery>.Read,
            project,
            endpoint
        );
        var late = await tx.ListAsync(
            $"""
            SELECT {Row<Delivery>.Columns}
            FROM delivery
            WHERE project = $1 AND endpoint = $2 AND due_at IS NOT NULL
            ORDER BY due_at DESC LIMIT $3
            """,
            Row<Delivery>.Read,
            project,
            endpoint,
            (long)MostLate
        );
        found.AddRange(late.Where(d => d.Attempts > 0));
        var attempts = await LastAttemptsAsync(tx, project, [.. found.Select(d => d.Id)]);
        return found
            .Select(d => ((Delivery, Attempt?)?)(d, attempts.GetValueOrDefault(d.Id)))
            .MaxBy(d => d!.Value.Item2?.At ?? d.Value.Item1.EndedAt);
    }

    private const int MostLate = 20;
}
