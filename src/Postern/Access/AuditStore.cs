using System.Data.Common;
using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// Reads the audit, newest first. A project reads its own rows. The server's first project also reads those of refused
/// credentials, which belong to no project. A search by actor, address or trigger uses an index; every other search
/// reads stretch by stretch (<see cref="ListSearch"/>).
/// </summary>
internal sealed class AuditStore(Database database, Projects projects, Audit audit)
{
    private const string Columns = """
        project, id, at, action, credential, actor, route, address, reason, times, trigger_name, trigger_uid
        """;

    /// <summary>The time in an id may differ from the row's time by this much.</summary>
    private const long Slack = 60_000_000;
    private static readonly ListOrder Newest = new("audit", null);

    /// <summary>Returns a row that the project may read, or null.</summary>
    public async ValueTask<AuditEntry?> FindAsync(string project, string id)
    {
        if (!IsId(id))
            return null;
        // Rows of answers that this node has just given are written first.
        await audit.SettleAsync();
        foreach (var of in await ReadableAsync(project))
            if (
                await database.ReadAsync(tx =>
                    tx.FirstAsync($"SELECT {Columns} FROM audit WHERE project = $1 AND id = $2", Map, of, id)
                ) is
                { } found
            )
                return found;
        return null;
    }

    /// <summary>Returns a page behind an id, newest first.</summary>
    public async ValueTask<Listed<AuditEntry>> ListAsync(
        string project,
        AuditFilter filter,
        string? before,
        int limit,
        CancellationToken cancel
    )
    {
        await audit.SettleAsync();
        var (rows, floor) = (new List<AuditEntry>(), "");
        foreach (var of in await ReadableAsync(project))
        {
            var found = await ListSearch.FindAsync(
                database,
                Newest,
                before is null ? null : (0, before),
                limit,
                tx => Narrow(tx, of, filter),
                Columns,
                Map,
                row => (0, row.Id),
                cancel
            );
            rows.AddRange(found.Rows);
            // Two lists are merged. Only the part that both have been read down to is in its final order.
            if (found.Next is { } next && string.CompareOrdinal(next.Id, floor) > 0)
                floor = next.Id;
        }
        var page = rows.Where(r => string.CompareOrdinal(r.Id, floor) >= 0)
            .OrderByDescending(r => r.Id, StringComparer.Ordinal)
            .ToList();
        if (page.Count > limit)
            return new Listed<AuditEntry>(page[..limit], (0, page[limit - 1].Id));
        return new Listed<AuditEntry>(page, floor.Length == 0 ? null : (0, floor));
    }

    /// <summary>
    /// Returns the other refusals of the same sender in the minute of a row, because their answers may have shown the
    /// same id.
    /// </summary>
    public ValueTask<List<AuditEntry>> BesideAsync(AuditEntry entry) =>
        database.ReadAsync(tx =>
        {
            var row = entry.Row;
            var query = new ListQuery(tx, "project = $1 AND address = $2", row.Project, row.Address ?? "")
                .And("id > {0}", entry.Id)
                .And("id < {0}", Id.From("aud", entry.At + (2 * Slack)))
                .And("action = {0}", row.Action)
                .And("trigger_uid = {0}", row.Trigger?.Uid);
            return query.ReadAsync(new ListOrder("audit", null, NewestFirst: false), Columns, Map, 20);
        });

    /// <summary>Counts the refusals of each route within a time, over at most <paramref name="most"/> rows.</summary>
    public async ValueTask<(Dictionary<string, long> Times, bool IsWhole)> RefusedByRouteAsync(
        string project,
        long from,
        int most
    )
    {
        var (times, isWhole) = (new Dictionary<string, long>(StringComparer.Ordinal), true);
        foreach (var of in await ReadableAsync(project))
        {
            var rows = await database.SearchAsync(tx =>
                tx.ListAsync(
                    """
                    SELECT action, route, times FROM audit
                    WHERE project = $1 AND id > $2 ORDER BY id DESC LIMIT $3
                    """,
                    r => (Action: r.GetString(0), Route: r.TextOrNull(1), Times: r.GetInt64(2)),
                    of,
                    Id.From("aud", from),
                    (long)most
                )
            );
            isWhole &= rows.Count < most;
            foreach (var (action, route, count) in rows)
                if (route is not null && action.EndsWith(".refused", StringComparison.Ordinal))
                    times[route] = times.GetValueOrDefault(route) + count;
        }
        return (times, isWhole);
    }

    /// <summary>Returns the ids with this beginning, of rows that the project may read.</summary>
    public async ValueTask<List<string>> BeginningWithAsync(string project, string text, int limit)
    {
        var found = new List<string>();
        foreach (var of in await ReadableAsync(project))
            found.AddRange(
                await database.ReadAsync(tx =>
                    tx.ListAsync(
                        "SELECT id FROM audit WHERE project = $1 AND id >= $2 AND id < $3 ORDER BY id LIMIT $4",
                        r => r.GetString(0),
                        of,
                        text,
                        text + "~",
                        (long)limit
                    )
                )
            );
        return found;
    }

    /// <summary>Returns whether a text has the form of a row's id.</summary>
    public static bool IsId(string text) =>
        text.Length == 30
        && text.StartsWith("aud_", StringComparison.Ordinal)
        && text.AsSpan(4).IndexOfAnyExcept("0123456789abcdefghjkmnpqrstvwxyz") < 0;

    private async ValueTask<string[]> ReadableAsync(string project) =>
        project == await projects.DefaultAsync() ? [project, Audit.NoProject] : [project];

    /// <summary>A condition with an index comes first, so that a stretch reads no other rows.</summary>
    private static ListQuery Narrow(Tx tx, string project, AuditFilter filter)
    {
        var query = filter switch
        {
            { Trigger: { } trigger } => Of("trigger_name", trigger).And("actor = {0}", filter.Actor),
            { Actor: { } actor } => Of("actor", actor),
            { Address: { } address } => Of("address", address),
            _ => new ListQuery(tx, "project = $1", project),
        };
        if (filter.Trigger is not null || filter.Actor is not null)
            query.And("address = {0}", filter.Address);
        return query
            .And("trigger_uid = {0}", filter.TriggerUid)
            .And("action = {0}", filter.Action)
            .AnyOf("action", filter.Actions)
            .And("credential = {0}", filter.Credential)
            .And("route = {0}", filter.Route)
            .And("reason = {0}", filter.Reason)
            .And("id > {0}", filter.From is { } from ? Id.From("aud", Math.Max(0, from - Slack)) : null)
            .And("id < {0}", filter.To is { } to ? Id.From("aud", to + Slack) : null)
            .And("at >= {0}", filter.From)
            .And("at < {0}", filter.To);

        ListQuery Of(string column, string value) => new(tx, $"project = $1 AND {column} = $2", project, value);
    }

    private static AuditEntry Map(DbDataReader r)
    {
        var project = r.GetString(0);
        return new AuditEntry(
            new AuditRow(
                project,
                r.GetString(3),
                r.TextOrNull(4),
                r.TextOrNull(5),
                r.TextOrNull(6),
                r.TextOrNull(7),
                r.TextOrNull(8),
                r.TextOrNull(10) is { } name ? new AuditTrigger(project, name, r.TextOrNull(11) ?? "") : null
            ),
            r.GetString(1),
            r.GetInt64(2),
            r.GetInt64(9)
        );
    }
}
