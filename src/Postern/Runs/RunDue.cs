using System.Text.Json;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>Changes when a run is due, for the dispatcher, a worker or the idle timer.</summary>
internal static class RunDue
{
    public static async ValueTask<bool> AwaitsApprovalAsync(Tx tx, string project, string id) =>
        await tx.FirstAsync(
            "SELECT 1 FROM run WHERE project = $1 AND id = $2 AND approval IS NOT NULL",
            r => r.GetInt64(0),
            project,
            id
        ) == 1;

    /// <summary>Returns until when idle runs wait for their sessions' next messages, by id.</summary>
    public static async ValueTask<Dictionary<string, long>> IdleUntilAsync(
        Tx tx,
        string project,
        IReadOnlyList<string> ids
    )
    {
        var rows = await tx.ListAsync(
            $"""
            SELECT id, idle_until
            FROM run
            WHERE project = $1 AND {tx.IsAnyOf("id", "$2")} AND idle_until IS NOT NULL
            """,
            r => (r.GetString(0), r.GetInt64(1)),
            project,
            JsonSerializer.Serialize(ids)
        );
        return rows.ToDictionary(r => r.Item1, r => r.Item2, StringComparer.Ordinal);
    }

    /// <summary>
    /// A trigger has made this run in this transaction, so nobody else can have locked it. It is listed and counted
    /// under the trigger.
    /// </summary>
    /// <param name="trigger">As scopes name it.</param>
    public static ValueTask<int> SetTriggerAsync(Tx tx, string project, string id, string trigger) =>
        tx.ExecuteAsync(
            $"""
            UPDATE run SET trigger_key = $3 WHERE (project, id) IN (
              SELECT project, id FROM run WHERE project = $1 AND id = $2{tx.ForUpdateSkipLocked})
            """,
            project,
            id,
            trigger
        );

    /// <summary>Makes the run due: some node takes it as soon as it sees it.</summary>
    public static async ValueTask MakeDueAsync(Tx tx, string project, string id)
    {
        await tx.ExecuteAsync(
            """
            UPDATE run
            SET due_at = $3, idle_until = NULL, updated_at = $3
            WHERE project = $1 AND id = $2 AND ended_at IS NULL AND due_at IS NULL AND waits_at IS NULL
              AND claim_at IS NULL
            """,
            project,
            id,
            tx.Now
        );
        tx.Notify(Topics.Runs);
    }

    /// <summary>
    /// A turn of it begins: it is not idle, and its session's deadline applies besides the total one.
    /// </summary>
    public static ValueTask<int> BeginTurnAsync(Tx tx, Run run) =>
        tx.ExecuteAsync(
            """
            UPDATE run
            SET idle_until = NULL, boot_message = 0, deadline_at = total_at
            WHERE project = $1 AND id = $2 AND ended_at IS NULL
            """,
            run.Project,
            run.Id
        );

    /// <summary>
    /// The run has nothing to do and becomes idle: it waits for the next message until its idle timer ends. While a
    /// person is asked, the timer does not run.
    /// </summary>
    public static ValueTask<int> ReturnToIdleAsync(Tx tx, string project, string id) =>
        tx.ExecuteAsync(
            """
            UPDATE run SET due_at = NULL, waits_at = NULL, lease_until = 0, tries = 0, boot_message = 0,
              claim_at = NULL, claim_until = NULL, claim_seconds = 0, deadline_at = COALESCE(approval_until, total_at),
              idle_until = CASE WHEN approval IS NULL THEN $3 + idle_seconds * 1000000 END, updated_at = $3
            WHERE project = $1 AND id = $2 AND ended_at IS NULL
            """,
            project,
            id,
            tx.Now
        );

    /// <summary>Makes the run due again at once, for any node.</summary>
    public static async ValueTask RequeueAsync(Tx tx, string project, string id)
    {
        await tx.ExecuteAsync(
            """
            UPDATE run
            SET due_at = $3, waits_at = NULL, lease_until = 0, tries = 0, idle_until = NULL, claim_at = NULL,
              claim_until = NULL, claim_seconds = 0, boot_message = 0, updated_at = $3
            WHERE project = $1 AND id = $2 AND ended_at IS NULL
            """,
            project,
            id,
            tx.Now
        );
        tx.Notify(Topics.Runs);
    }

    /// <summary>Stops the idle timer of a run that waits for a person.</summary>
    public static ValueTask<int> PauseIdleTimerAsync(Tx tx, string project, string id) =>
        tx.ExecuteAsync("UPDATE run SET idle_until = NULL WHERE project = $1 AND id = $2", project, id);

    /// <summary>
    /// The run was handed over: nothing is due until its agent reports. A lost lease (its turn has ended meanwhile)
    /// changes nothing.
    /// </summary>
    public static ValueTask<int> HandedOverAsync(Tx tx, Run run) =>
        tx.ExecuteAsync(
            """
            UPDATE run
            SET due_at = NULL, lease_until = 0, tries = 0, dispatched = 1
            WHERE project = $1 AND id = $2 AND lease_no = $3 AND lease_until > 0
            """,
            run.Project,
            run.Id,
            run.LeaseNo
        );

    /// <summary>Makes the run claimable by workers, until one claims it or the deadline passes.</summary>
    public static async ValueTask MakeClaimableAsync(Tx tx, Run run)
    {
        await tx.ExecuteAsync(
            """
            UPDATE run
            SET due_at = NULL, waits_at = NULL, lease_until = 0, tries = 0, idle_until = NULL, claim_at = $3,
              claim_until = NULL, claim_seconds = 0, deadline_at = $4
            WHERE project = $1 AND id = $2 AND ended_at IS NULL
            """,
            run.Project,
            run.Id,
            tx.Now,
            run.Session is null ? run.DeadlineAt : Math.Min(run.TotalAt, tx.Now + (run.QueuedSeconds * 1_000_000))
        );
        tx.Notify(Topics.Claimable(run.Project, run.Agent));
    }

    /// <summary>Sets a shorter total time than the agent's, given at the start.</summary>
    public static ValueTask<int> SetTimeLimitAsync(Tx tx, string project, string id, long seconds) =>
        tx.ExecuteAsync(
            """
            UPDATE run
            SET total_seconds = $3, total_at = created_at + $3 * 1000000, deadline_at = CASE
              WHEN deadline_at > created_at + $3 * 1000000 THEN created_at + $3 * 1000000 ELSE deadline_at END
            WHERE project = $1 AND id = $2
            """,
            project,
            id,
            seconds
        );
}
