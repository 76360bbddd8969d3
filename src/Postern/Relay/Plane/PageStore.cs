using Postern.Approvals;
using Postern.Http;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Stores which questions must be at which relay. A row is written in the transaction that asks the person, and marked
/// in the one that ends the question. The row is due until the relay has confirmed what was sent. The text to send is
/// made from the question as it is at that moment.
/// </summary>
internal sealed class PageStore(Database database, ApprovalLinks links)
{
    /// <summary>Announced when there is something to send.</summary>
    public const string Topic = "relay pages";

    private const long Day = 86_400_000_000;

    /// <summary>How long after a refusal for lack of room a question is sent again.</summary>
    private const long Again = 60_000_000;

    private const string Columns = "page, project, approval";

    /// <summary>Whether questions are sent to relays.</summary>
    public bool AreWanted => links.AreRelayed;

    /// <summary>Adds the rows of a new question, in the transaction that asks it.</summary>
    public async ValueTask AskedAsync(Tx tx, QuestionAsked change)
    {
        if (!AreWanted)
            return;
        var planes = await tx.ListAsync(
            $"SELECT plane FROM joined_relay WHERE standing = 'joined' ORDER BY relay LIMIT {PlaneStore.Most}",
            r => r.GetString(0)
        );
        foreach (var plane in planes)
            await AddAsync(tx, plane, change.Approval);
        tx.Notify(Topic);
    }

    /// <summary>Marks the rows of a question that has ended, in the transaction that ends it.</summary>
    public async ValueTask EndedAsync(Tx tx, QuestionEnded change)
    {
        var (project, id) = (change.Approval.Project, change.Approval.Id);
        var marked = await tx.ExecuteAsync(
            "UPDATE joined_page SET due_at = $2, ended_at = $2, refused_at = NULL WHERE page = $1 AND ended_at IS NULL",
            links.PageOf(project, id),
            tx.Now
        );
        if (marked > 0)
            tx.Notify(Topic);
    }

    /// <summary>Returns the open questions that have no row yet: they were asked before the relay was joined.</summary>
    public async Task AddAsync(string plane, IReadOnlyList<Approval> open)
    {
        if (open.Count > 0)
            await database.WriteAsync(async tx =>
            {
                var added = 0;
                foreach (var approval in open)
                    added += await AddAsync(tx, plane, approval);
                return added;
            });
    }

    /// <summary>Returns what must be sent to a relay, the oldest first.</summary>
    public ValueTask<List<JoinedPage>> DueAsync(string plane, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Columns} FROM joined_page
                WHERE plane = $1 AND due_at <= $2
                ORDER BY due_at LIMIT $3
                """,
                Map,
                plane,
                tx.Now,
                limit
            )
        );

    /// <summary>Records that the relay keeps a version.</summary>
    public Task<int> KeptAsync(string plane, string page, long version) =>
        database.WriteAsync(tx =>
            tx.ExecuteAsync(
                $"""
                UPDATE joined_page SET due_at = NULL, refused_at = NULL
                WHERE page = $1 AND plane = $2 AND (ended_at IS NULL OR $3 >= {JoinedPage.Ended})
                """,
                page,
                plane,
                version
            )
        );

    /// <summary>
    /// Records that the relay has no room for a question; it is sent again later. Returns true the first time.
    /// </summary>
    public Task<bool> RefusedAsync(string plane, string page) =>
        database.WriteAsync(async tx =>
        {
            var isFirst = await tx.FirstAsync(
                "SELECT 1 FROM joined_page WHERE page = $1 AND plane = $2 AND refused_at IS NULL",
                r => r.GetInt64(0),
                page,
                plane
            );
            await tx.ExecuteAsync(
                """
                UPDATE joined_page SET due_at = $3, refused_at = COALESCE(refused_at, $4)
                WHERE page = $1 AND plane = $2 AND due_at IS NOT NULL
                """,
                page,
                plane,
                tx.Now + Again,
                tx.Now
            );
            return isFirst == 1;
        });

    /// <summary>Returns the question of a page, open or ended, or null when this server has asked none there.</summary>
    public ValueTask<JoinedPage?> FindAsync(string plane, string page) =>
        database.ReadAsync(tx =>
            tx.FirstAsync($"SELECT {Columns} FROM joined_page WHERE page = $1 AND plane = $2", Map, page, plane)
        );

    /// <summary>
    /// Counts the questions that a relay does not keep yet, and those of them that it had no room for.
    /// </summary>
    public ValueTask<(long Due, long Refused)> CountAsync(string plane) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                """
                SELECT COUNT(*), COUNT(refused_at) FROM (
                  SELECT refused_at FROM joined_page WHERE plane = $1 AND due_at IS NOT NULL ORDER BY due_at LIMIT 10000
                ) AS due
                """,
                r => (r.GetInt64(0), r.GetInt64(1)),
                plane
            )
        );

    /// <summary>Removes ended questions whose answers cannot come any more.</summary>
    public Task<int> ForgetAsync(long heldFor, int limit) =>
        database.WriteAsync(tx =>
            tx.ExecuteAsync(
                $"""
                DELETE FROM joined_page WHERE (page, plane) IN (
                  SELECT page, plane FROM joined_page WHERE ended_at < $1 LIMIT {limit}{tx.ForUpdateSkipLocked})
                """,
                tx.Now - heldFor - Day
            )
        );

    private ValueTask<int> AddAsync(Tx tx, string plane, Approval approval) =>
        tx.ExecuteAsync(
            """
            INSERT INTO joined_page (page, plane, project, approval, due_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (page, plane) DO NOTHING
            """,
            links.PageOf(approval.Project, approval.Id),
            plane,
            approval.Project,
            approval.Id,
            tx.Now
        );

    private static JoinedPage Map(System.Data.Common.DbDataReader r) =>
        new(r.GetString(0), r.GetString(1), r.GetString(2));
}
