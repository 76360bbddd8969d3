using System.Data.Common;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// The row of a run: its columns, written in one place and read in one.
/// </summary>
internal static class RunRow
{
    public const string Columns = """
        project, id, agent, workflow, workflow_version, session, status, phase, reason, attempt, marker, event_seq,
        failure_code, failure_message, failed_stage, progress_millionths, tags, metadata, callback_url,
        callback_sealed, callback_outcome,
        boot_message, continuation, previous_run, trigger_key, profile, paused_from, created_at, updated_at,
        attempt_at, started_at, ended_at,
        deadline_at, total_at, state_until, queued_seconds, silent_seconds, total_seconds, idle_seconds,
        due_at, lease_no, tries, claim_at, claim_until, claim_seconds, leases_lost, dispatched, approval,
        approval_until, waits_at
        """;

    public const string Find = $"SELECT {Columns} FROM run WHERE project = $1 AND id = $2";
    public const string FindForUpdate = Find + " FOR UPDATE";

    public static async ValueTask InsertAsync(Tx tx, Run run)
    {
        await tx.ExecuteAsync(
            """
            INSERT INTO run (project, id, agent, workflow, workflow_version, session, status, phase, attempt,
              event_seq, tags, metadata, callback_url, callback_sealed,
              boot_message, continuation, previous_run, trigger_key, created_at, updated_at, attempt_at, deadline_at,
              total_at, state_until,
              queued_seconds, silent_seconds, total_seconds, idle_seconds, due_at, lease_until, lease_no, tries,
              claim_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $19, $19,
              $20, $21, $22, $23, $24, $25, $26, $27, 0, 0, 0, $28)
            """,
            run.Project,
            run.Id,
            run.Agent,
            run.Workflow,
            run.WorkflowVersion,
            run.Session,
            run.Status,
            run.Phase,
            run.Attempt,
            run.EventSeq,
            run.Tags,
            run.Metadata,
            run.CallbackUrl,
            run.CallbackSealed,
            run.BootMessage ? 1L : 0L,
            run.Continuation ? 1L : 0L,
            run.PreviousRun,
            run.TriggerKey,
            run.CreatedAt,
            run.DeadlineAt,
            run.TotalAt,
            run.StateUntil,
            run.QueuedSeconds,
            run.SilentSeconds,
            run.TotalSeconds,
            run.IdleSeconds,
            run.DueAt,
            run.ClaimAt
        );
        if (run.DueAt is not null)
            tx.Notify(Topics.Runs);
        if (run.ClaimAt is not null)
            tx.Notify(Topics.Claimable(run.Project, run.Agent));
    }

    /// <summary>
    /// Writes what a change of state may change. The caller holds the row, and <paramref name="run"/> is what was read
    /// plus the change. With <paramref name="releases"/> whoever hands it over has lost its lease.
    /// </summary>
    public static async ValueTask SaveAsync(Tx tx, HeldRun run, bool releases = false)
    {
        var saved = await tx.ExecuteAsync(
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
        if (saved != 1)
            throw new InvalidOperationException($"{run.Id} was changed without its row being held.");
        if (run.DueAt is not null)
            tx.Notify(Topics.Runs);
        if (run.ClaimAt is not null)
            tx.Notify(Topics.Claimable(run.Project, run.Agent));
        // It has ended, or its next attempt is yet to be handed over: another may have its place.
        if (releases && run.Session is null)
            await AgentPlaces.FreeAsync(tx, run.Project, run.Agent, ofSession: false);
    }

    public static Run Map(DbDataReader r) =>
        new()
        {
            Project = r.GetString(0),
            Id = r.GetString(1),
            Agent = r.GetString(2),
            Workflow = r.GetString(3),
            WorkflowVersion = r.GetInt64(4),
            Session = r.TextOrNull(5),
            Status = r.GetString(6),
            Phase = r.GetString(7),
            Reason = r.TextOrNull(8),
            Attempt = r.GetInt64(9),
            Marker = r.LongOrNull(10),
            EventSeq = r.GetInt64(11),
            FailureCode = r.TextOrNull(12),
            FailureMessage = r.TextOrNull(13),
            FailedStage = r.TextOrNull(14),
            ProgressMillionths = r.LongOrNull(15),
            Tags = r.GetString(16),
            Metadata = r.TextOrNull(17),
            CallbackUrl = r.TextOrNull(18),
            CallbackSealed = r.BytesOrNull(19),
            CallbackOutcome = r.TextOrNull(20),
            BootMessage = r.Flag(21),
            Continuation = r.Flag(22),
            PreviousRun = r.TextOrNull(23),
            TriggerKey = r.TextOrNull(24),
            Profile = r.TextOrNull(25),
            PausedFrom = r.TextOrNull(26),
            CreatedAt = r.GetInt64(27),
            UpdatedAt = r.GetInt64(28),
            AttemptAt = r.GetInt64(29),
            StartedAt = r.LongOrNull(30),
            EndedAt = r.LongOrNull(31),
            DeadlineAt = r.GetInt64(32),
            TotalAt = r.GetInt64(33),
            StateUntil = r.LongOrNull(34),
            QueuedSeconds = r.GetInt64(35),
            SilentSeconds = r.GetInt64(36),
            TotalSeconds = r.GetInt64(37),
            IdleSeconds = r.GetInt64(38),
            DueAt = r.LongOrNull(39),
            LeaseNo = r.GetInt64(40),
            Tries = r.GetInt64(41),
            ClaimAt = r.LongOrNull(42),
            ClaimUntil = r.LongOrNull(43),
            ClaimSeconds = r.GetInt64(44),
            LeasesLost = r.GetInt64(45),
            Dispatched = r.Flag(46),
            Approval = r.TextOrNull(47),
            ApprovalUntil = r.LongOrNull(48),
            WaitsAt = r.LongOrNull(49),
        };
}
