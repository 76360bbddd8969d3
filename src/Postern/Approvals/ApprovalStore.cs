using System.Data.Common;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// The rows of approvals. A transaction that asks or decides holds the run's row (<see cref="HeldRun"/>); in addition,
/// the decision is conditional.
/// </summary>
internal sealed class ApprovalStore(Database database)
{
    /// <summary>With the payload, which is large and read only to be shown.</summary>
    private static readonly string Whole = Row<Approval>.Columns + ", payload";

    /// <summary>The most bytes of payloads on one page; one question is always returned.</summary>
    private const int MaxPageBytes = 4 * 1024 * 1024;

    /// <summary>The largest payload.</summary>
    private const int MaxPayload = 256 * 1024;
    private static readonly BytePage Pages = new(Whole, "COALESCE(octet_length(payload), 0)");

    private static readonly string Find =
        $"SELECT {Row<Approval>.Columns} FROM approval WHERE project = $1 AND id = $2 AND removed = 0";

    /// <summary>Returns false when the id was used before.</summary>
    public static async ValueTask<bool> InsertAsync(Tx tx, Approval a)
    {
        tx.Notify(Topics.List(a.Project, "approvals"));
        return await tx.ExecuteAsync(
                $"""
                INSERT INTO approval ({Whole}) VALUES ({Row<Approval>.Parameters}, ${Row<Approval>.Count + 1})
                ON CONFLICT (project, id) DO NOTHING
                """,
                [.. Row<Approval>.Values(a), a.Payload]
            ) == 1;
    }

    public static ValueTask<Approval?> FindAsync(Tx tx, string project, string id) =>
        tx.FirstAsync(Find, Row<Approval>.Read, project, id);

    public static Ahead<Approval?> FindAhead(Tx tx, string project, string id) =>
        tx.FirstAhead(Find, Row<Approval>.Read, project, id);

    public ValueTask<Approval?> FindAsync(string project, string id) =>
        database.ReadAsync(tx => FindAsync(tx, project, id));

    /// <summary>Returns a question with its payload.</summary>
    public ValueTask<Approval?> FindWholeAsync(string project, string id) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                $"SELECT {Whole} FROM approval WHERE project = $1 AND id = $2 AND removed = 0",
                ReadWhole,
                project,
                id
            )
        );

    /// <summary>Returns whether an id was ever used, by any run.</summary>
    public static async ValueTask<bool> IsUsedAsync(Tx tx, string project, string id) =>
        await tx.FirstAsync("SELECT 1 FROM approval WHERE project = $1 AND id = $2", r => r.GetInt64(0), project, id)
        == 1;

    /// <summary>Returns a run's newest question.</summary>
    public static ValueTask<Approval?> LastOfAsync(Tx tx, string project, string run) =>
        tx.FirstAsync(
            $"""
            SELECT {Row<Approval>.Columns}
            FROM approval
            WHERE project = $1 AND run = $2 AND removed = 0
            ORDER BY round DESC LIMIT 1
            """,
            Row<Approval>.Read,
            project,
            run
        );

    /// <summary>Returns a run's questions without their payloads, oldest first; of very many, the newest.</summary>
    public static async ValueTask<List<Approval>> OfRunAsync(Tx tx, string project, string run, int limit)
    {
        var found = await tx.ListAsync(
            $"""
            SELECT {Row<Approval>.Columns}
            FROM approval
            WHERE project = $1 AND run = $2 AND removed = 0
            ORDER BY round DESC LIMIT $3
            """,
            Row<Approval>.Read,
            project,
            run,
            (long)limit
        );
        found.Reverse();
        return found;
    }

    public ValueTask<Approval?> LastOfAsync(string project, string run) =>
        database.ReadAsync(tx => LastOfAsync(tx, project, run));

    /// <summary>Returns a question with its payload, by the digest of its link's token, in any project.</summary>
    public ValueTask<Approval?> ByLinkAsync(byte[] digest) =>
        database.ReadAsync(tx =>
            tx.FirstAsync($"SELECT {Whole} FROM approval WHERE link_digest = $1", ReadWhole, digest)
        );

    /// <summary>
    /// Stores the one decision of a question that is open under the run's lock. When it is not open, the transaction is
    /// undone.
    /// </summary>
    public static void DecidePending(Tx tx, Approval decided)
    {
        tx.Notify(Topics.List(decided.Project, "approvals"));
        tx.QueueOne(
            () => new InvalidOperationException($"{decided.Id} was decided without its run being held."),
            """
            UPDATE approval
            SET status = $3, decided_at = $4, decided_with = $5, decided_by = $6, feedback = $7, response = $8
            WHERE project = $1 AND id = $2 AND status = 'pending'
            """,
            decided.Project,
            decided.Id,
            decided.Status,
            decided.DecidedAt,
            decided.DecidedWith,
            decided.DecidedBy,
            decided.Feedback,
            decided.Response
        );
        // For a question that was closed with its run, nobody waited any more.
        if (decided.Status != Decision.Cancelled)
            tx.Count(decided.Project, Measure.ApprovalWait, tx.Now - decided.RequestedAt);
    }

    public ValueTask<List<Approval>> OverdueAsync(int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Row<Approval>.Columns}
                FROM approval
                WHERE status = 'pending' AND expires_at <= $1
                ORDER BY expires_at LIMIT $2
                """,
                Row<Approval>.Read,
                tx.Now,
                limit
            )
        );

    /// <summary>
    /// Returns open questions of all projects, ordered by expiry, page by page, so that others can be told of them.
    /// </summary>
    /// <param name="after">The last of the page before.</param>
    /// <param name="limit">So many at most.</param>
    public ValueTask<List<Approval>> OpenAsync((long ExpiresAt, string Project, string Id) after, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Row<Approval>.Columns}
                FROM approval
                WHERE status = 'pending' AND expires_at >= $1 AND (expires_at, project, id) > ($1, $2, $3)
                ORDER BY expires_at, project, id LIMIT $4
                """,
                Row<Approval>.Read,
                after.ExpiresAt,
                after.Project ?? "",
                after.Id ?? "",
                limit
            )
        );

    /// <summary>Records that the ids of a deleted run's questions were used.</summary>
    public async ValueTask RunForgottenAsync(Tx tx, RunForgotten change) =>
        await tx.ExecuteAsync(Forget + "run = $2", change.Project, change.Run);

    public async ValueTask SessionForgottenAsync(Tx tx, SessionForgotten change) =>
        await tx.ExecuteAsync(Forget + RunStore.EndedOfSession, change.Project, change.Session);

    private const string Forget = """
        UPDATE approval
        SET removed = 1, status = CASE
          WHEN status = 'pending' THEN 'cancelled' ELSE status END, feedback = NULL, response = NULL,
          link_digest = NULL,
          request_url = NULL, callback_url = NULL, title = NULL, description = NULL, options = NULL, payload = NULL
        WHERE project = $1 AND 
        """;

    /// <summary>Counts the waiting questions that a person may see and has not set aside, up to a number.</summary>
    public ValueTask<long> CountPendingAsync(string project, string person, bool withInternal, long most) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                $"""
                SELECT COUNT(*) FROM (
                  SELECT 1 FROM approval WHERE project = $1 AND removed = 0 AND status = 'pending'
                    AND {ApprovalsAside.IsNotAside("$3", "$4")}
                    {(withInternal ? "" : "AND " + SessionStore.IsNotOfInternal("approval"))} LIMIT $2) AS counted
                """,
                r => r.GetInt64(0),
                project,
                most,
                person,
                tx.Now
            )
        );

    /// <summary>
    /// Returns the time since which the oldest visible question waits, without those that the person has set aside.
    /// Null when none waits.
    /// </summary>
    public ValueTask<long?> WaitsSinceAsync(string project, string person, bool withInternal) =>
        database.ReadAsync(tx =>
            tx.FirstAsync<long?>(
                $"""
                SELECT requested_at FROM approval
                WHERE project = $1 AND removed = 0 AND status = 'pending'
                  AND {ApprovalsAside.IsNotAside("$2", "$3")}
                  {(withInternal ? "" : "AND " + SessionStore.IsNotOfInternal("approval"))}
                ORDER BY requested_at, id LIMIT 1
                """,
                r => r.GetInt64(0),
                project,
                person,
                tx.Now
            )
        );

    /// <summary>Returns questions by the beginning of their ids, with the sessions of their runs.</summary>
    public ValueTask<List<(string Id, string? Session)>> BeginningWithAsync(string project, string text, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                """
                SELECT id, session FROM approval
                WHERE project = $1 AND removed = 0 AND id >= $2 AND id < $3
                ORDER BY id LIMIT $4
                """,
                r => (r.GetString(0), r.TextOrNull(1)),
                project,
                text,
                text + "~",
                (long)limit
            )
        );

    /// <summary>
    /// Returns questions that have waited since before an instant, as their runs, the longest wait first.
    /// </summary>
    public ValueTask<List<(string Run, long RequestedAt)>> PendingSinceAsync(
        string project,
        long before,
        bool withInternal,
        int limit
    ) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT run, requested_at
                FROM approval
                WHERE project = $1 AND removed = 0 AND status = 'pending' AND requested_at <= $2
                  {(withInternal ? "" : "AND " + SessionStore.IsNotOfInternal("approval"))}
                ORDER BY requested_at, id LIMIT $3
                """,
                r => (r.GetString(0), r.GetInt64(1)),
                project,
                before,
                (long)limit
            )
        );

    /// <summary>
    /// Returns a page with payloads, newest first. Pending questions come in the order of their age or expiry.
    /// </summary>
    public ValueTask<Listed<Approval>> ListAsync(
        string project,
        ApprovalFilter filter,
        int limit,
        CancellationToken cancel
    )
    {
        var order = OrderOf(filter);
        var room = (long)MaxPageBytes;
        return ListSearch.FindAsync(
            database,
            order,
            filter.After?.Place,
            limit,
            tx => ValueTask.FromResult(Narrow(tx, project, filter)),
            ReadAsync,
            a => (order == SoonestFirst ? a.ExpiresAt : a.RequestedAt, a.Id),
            cancel,
            filter.Text is null ? int.MaxValue : ListSearch.MostForText
        );

        async ValueTask<(List<Approval> Rows, bool IsFull)> ReadAsync(Tx tx, ListQuery query, int most)
        {
            var rows = await Pages.ReadAsync(
                tx,
                $"approval WHERE {query.Where}",
                order.Sql,
                most,
                room,
                ReadWhole,
                query.Args
            );
            room -= rows.Sum(a => (long)(a.Payload?.Length ?? 0));
            // When the largest payload would not have fitted, rows may have been left out. The next page shows whether
            // there are more.
            return (rows, room < MaxPayload);
        }
    }

    /// <summary>The conditions of a list, except the place where its page begins.</summary>
    private static ListQuery Narrow(Tx tx, string project, ApprovalFilter filter)
    {
        // Written out, so that the index of pending questions serves the most frequent list.
        var scope = "project = $1 AND removed = 0" + (IsOfPending(filter) ? " AND status = 'pending'" : "");
        var query = new ListQuery(tx, scope, project)
            .AnyOf("status", IsOfPending(filter) ? [] : filter.Statuses)
            .AnyOf("agent", filter.Agents)
            .AnyOf("run", filter.Runs)
            .AnyOf("session", filter.Sessions)
            .AnyOf("service", filter.Services)
            .And("requested_at >= {0}", filter.From)
            .And("requested_at <= {0}", filter.To)
            .Holds(filter.Text, "title", "feedback");
        if (filter.Person is { } person)
            query.And(ApprovalsAside.IsNotAside(query.Arg(person), query.Arg(tx.Now)));
        if (!filter.WithInternal)
            query.And(SessionStore.IsNotOfInternal("approval"));
        return query;
    }

    private static bool IsOfPending(ApprovalFilter filter) => filter.Statuses is [Approval.Pending];

    private static ListOrder OrderOf(ApprovalFilter filter) =>
        !IsOfPending(filter) ? Newest
        : filter.SoonestFirst ? SoonestFirst
        : LongestFirst;

    /// <summary>Counts the questions that a filter finds, by status and agent.</summary>
    public ValueTask<ListCounts> CountsAsync(string project, ApprovalFilter filter) =>
        database.SearchAsync(tx =>
            ListCounts.OfAsync(
                Narrow(tx, project, filter),
                OrderOf(filter),
                filter.Text is not null,
                ("status", "status"),
                ("agent", "agent")
            )
        );

    private static Approval ReadWhole(DbDataReader row) =>
        Row<Approval>.Read(row) with
        {
            Payload = row.BytesOrNull(Row<Approval>.Count),
        };

    private static readonly ListOrder Newest = new("approval", "requested_at");
    private static readonly ListOrder LongestFirst = Newest with { NewestFirst = false };
    private static readonly ListOrder SoonestFirst = new("approval", "expires_at", NewestFirst: false);
}
