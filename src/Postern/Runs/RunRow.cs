using Postern.Storage;

namespace Postern.Runs;

/// <summary>The row of a run: all statements that write and read its columns.</summary>
internal static class RunRow
{
    public static readonly string Find = $"SELECT {Row<Run>.Columns} FROM run WHERE project = $1 AND id = $2";
    public static readonly string FindForUpdate = Find + " FOR UPDATE";

    public static void Insert(Tx tx, Run run)
    {
        tx.Queue(
            $"INSERT INTO run ({Row<Run>.Columns}, lease_until) VALUES ({Row<Run>.Parameters}, 0)",
            Row<Run>.Values(run)
        );
        if (run.DueAt is not null)
            tx.Notify(Topics.Runs);
        if (run.ClaimAt is not null)
            tx.Notify(Topics.Claimable(run.Project, run.Agent));
    }

    /// <summary>
    /// Writes the columns that a change of state may change. The caller holds the row, and <paramref name="run"/> is
    /// the locked row with the change. With <paramref name="releases"/>, the node that hands it over has lost its
    /// lease.
    /// </summary>
    public static async ValueTask SaveAsync(Tx tx, HeldRun run, bool releases = false)
    {
        tx.QueueOne(
            () => new InvalidOperationException($"{run.Id} was changed without its row being held."),
            """
            UPDATE run SET status = $3, phase = $4, reason = $5, attempt = $6, marker = $7, event_seq = $8,
              failure_code = $9, failure_message = $10, failed_stage = $11,
              progress_millionths = $12, profile = $13, paused_from = $14, updated_at = $15, attempt_at = $16,
              started_at = $17, ended_at = $18,
              deadline_at = $19, total_at = $20, state_until = $21, due_at = $22, claim_at = $23, claim_until = $24,
              claim_seconds = $25, leases_lost = $26, dispatched = $27,
              boot_message = $28, lease_until = CASE WHEN $29 = 1 THEN 0 ELSE lease_until END, tries = $30,
              idle_until = CASE WHEN $29 = 1 THEN NULL ELSE idle_until END, approval = $31, approval_until = $32,
              waits_at = $33
            WHERE project = $1 AND id = $2
            """,
            run.Project,
            run.Id,
            run.Status,
            run.Phase,
            run.Reason,
            run.Attempt,
            run.Marker,
            run.EventSeq,
            run.FailureCode,
            run.FailureMessage,
            run.FailedStage,
            run.ProgressMillionths,
            run.Profile,
            run.PausedFrom,
            run.UpdatedAt,
            run.AttemptAt,
            run.StartedAt,
            run.EndedAt,
            run.DeadlineAt,
            run.TotalAt,
            run.StateUntil,
            run.DueAt,
            run.ClaimAt,
            run.ClaimUntil,
            run.ClaimSeconds,
            run.LeasesLost,
            run.Dispatched ? 1L : 0L,
            run.BootMessage ? 1L : 0L,
            releases ? 1L : 0L,
            run.Tries,
            run.Approval,
            run.ApprovalUntil,
            releases ? null : run.WaitsAt
        );
        if (run.DueAt is not null)
            tx.Notify(Topics.Runs);
        if (run.ClaimAt is not null)
            tx.Notify(Topics.Claimable(run.Project, run.Agent));
        // It has ended, or its next attempt is not yet handed over, so another run may have its place.
        if (releases && run.Session is null)
            await AgentPlaces.FreeAsync(tx, run.Project, run.Agent, ofSession: false);
    }
}
