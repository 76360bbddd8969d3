using Postern.Access;
using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// Questions that a person has set aside: for an hour, that person's lists and counts leave them out. It decides
/// nothing, stops no clock, and changes nothing for others.
/// </summary>
internal sealed class ApprovalsAside(Database database)
{
    /// <summary>The most questions that one person may have set aside.</summary>
    public const int Most = 200;

    private const long Hour = 3_600_000_000;

    /// <summary>Sets a question aside until an hour from now.</summary>
    /// <returns>False: the person has set aside as many as he may.</returns>
    public static async ValueTask<bool> PutAsync(Tx tx, string project, string person, string approval)
    {
        await ProjectQuota.LockAsync(tx, project);
        await tx.ExecuteAsync(
            "DELETE FROM approval_aside WHERE project = $1 AND person = $2 AND until <= $3",
            project,
            person,
            tx.Now
        );
        var put = await tx.ExecuteAsync(
            $"""
            INSERT INTO approval_aside (project, person, approval, until)
            SELECT $1, $2, $3, $4
            WHERE (SELECT COUNT(*) FROM approval_aside WHERE project = $1 AND person = $2 AND approval <> $3) < {Most}
            ON CONFLICT (project, person, approval) DO UPDATE SET until = excluded.until
            """,
            project,
            person,
            approval,
            tx.Now + Hour
        );
        return put == 1;
    }

    /// <summary>Shows a question again.</summary>
    public static ValueTask<int> TakeBackAsync(Tx tx, string project, string person, string approval) =>
        tx.ExecuteAsync(
            "DELETE FROM approval_aside WHERE project = $1 AND person = $2 AND approval = $3",
            project,
            person,
            approval
        );

    /// <summary>Returns until when a person has set a question aside, or null.</summary>
    public ValueTask<long?> UntilAsync(string project, string person, string approval) =>
        database.ReadAsync(tx =>
            tx.FirstAsync<long?>(
                """
                SELECT until FROM approval_aside
                WHERE project = $1 AND person = $2 AND approval = $3 AND until > $4
                """,
                r => r.GetInt64(0),
                project,
                person,
                approval,
                tx.Now
            )
        );

    /// <summary>Counts the waiting questions that a person has set aside.</summary>
    public ValueTask<long> CountAsync(string project, string person) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                """
                SELECT COUNT(*) FROM approval_aside aside
                JOIN approval ON approval.project = aside.project AND approval.id = aside.approval
                WHERE aside.project = $1 AND aside.person = $2 AND aside.until > $3 AND approval.status = 'pending'
                """,
                r => r.GetInt64(0),
                project,
                person,
                tx.Now
            )
        );

    /// <summary>Returns a condition on a row of <c>approval</c>: the person has not set it aside.</summary>
    /// <param name="person">The name of an argument.</param>
    /// <param name="now">The name of an argument.</param>
    public static string IsNotAside(string person, string now) =>
        "NOT EXISTS (SELECT 1 FROM approval_aside aside WHERE aside.project = approval.project "
        + $"AND aside.person = {person} AND aside.approval = approval.id AND aside.until > {now})";

    /// <summary>Removes entries whose hour is over.</summary>
    public Task SweepAsync(CancellationToken stop) =>
        OldRows.RemoveAsync(database, "approval_aside", "project, person, approval", "until", database.Now, stop);
}
