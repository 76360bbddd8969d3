using System.Data.Common;
using Postern.Access;
using Postern.Approvals;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// The runs' rows. Whoever changes a run holds its row (<see cref="LockAsync"/>), its session's before it; every statement is conditional and
/// its row count is the verdict.
/// </summary>
internal sealed class RunStore(Database database)
{
    private const string Columns = """
        project, id, agent, workflow, workflow_version, session, status, phase, reason, attempt, marker, event_seq,
        failure_code, failure_message, failed_stage, progress_millionths, tags, metadata, callback_url, callback_sealed, callback_outcome,
        boot_message, continuation, previous_run, trigger_key, profile, paused_from, created_at, updated_at, attempt_at, started_at, ended_at,
        deadline_at, total_at, state_until, queued_seconds, silent_seconds, total_seconds, idle_seconds,
        due_at, lease_no, tries, claim_at, claim_until, claim_seconds, leases_lost, dispatched, approval, approval_until, waits_at
        """;

    private const int DueALook = 1024;

    private const string Find = $"SELECT {Columns} FROM run WHERE project = $1 AND id = $2";
    private const string FindForUpdate = Find + " FOR UPDATE";

    public static async ValueTask InsertAsync(Tx tx, Run run)
    {
        await tx.ExecuteAsync(
            """
            INSERT INTO run (project, id, agent, workflow, workflow_version, session, status, phase, attempt, event_seq, tags, metadata, callback_url, callback_sealed,
              boot_message, continuation, previous_run, trigger_key, created_at, updated_at, attempt_at, deadline_at, total_at, state_until,
              queued_seconds, silent_seconds, total_seconds, idle_seconds, due_at, lease_until, lease_no, tries, claim_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $19, $19, $20, $21, $22, $23, $24, $25, $26, $27, 0, 0, 0, $28)
            """,
            run.Project, run.Id, run.Agent, run.Workflow, run.WorkflowVersion, run.Session, run.Status, run.Phase, run.Attempt, run.EventSeq, run.Tags, run.Metadata, run.CallbackUrl, run.CallbackSealed,
            run.BootMessage ? 1L : 0L, run.Continuation ? 1L : 0L, run.PreviousRun, run.TriggerKey, run.CreatedAt, run.DeadlineAt, run.TotalAt, run.StateUntil,
            run.QueuedSeconds, run.SilentSeconds, run.TotalSeconds, run.IdleSeconds, run.DueAt, run.ClaimAt);
        if (run.DueAt is not null) tx.Touch(Topics.Runs);
        if (run.ClaimAt is not null) tx.Touch(Topics.Claimable(run.Project, run.Agent));
    }

    public static ValueTask<Run?> FindAsync(Tx tx, string project, string id) => tx.FirstAsync(Find, Map, project, id);

    /// <summary>What the credentials of its workers rest on; null when there is no such run.</summary>
    public ValueTask<RunState?> ReadStateAsync(string project, string id) => database.ReadAsync(tx => tx.FirstAsync(
        "SELECT attempt, attempt_at, ended_at FROM run WHERE project = $1 AND id = $2",
        r => new RunState(r.GetInt64(0), r.GetInt64(1), r.LongOrNull(2)), project, id));

    public ValueTask<Run?> FindAsync(string project, string id) => database.ReadAsync(tx => FindAsync(tx, project, id));

    /// <summary>The run, its row locked until the transaction ends, and its session's before it: the order that everybody keeps.</summary>
    public static async ValueTask<Run?> LockAsync(Tx tx, string project, string id)
    {
        if (tx.ForUpdate.Length == 0) return await FindAsync(tx, project, id);
        if (await tx.FirstAsync("SELECT session FROM run WHERE project = $1 AND id = $2", r => r.TextOrNull(0), project, id) is { } session) await SessionStore.LockAsync(tx, project, session);
        return await tx.FirstAsync(FindForUpdate, Map, project, id);
    }

    /// <summary>Writes what a change of state may change. The caller holds the row, and <paramref name="run"/> is what was read plus the change. With <paramref name="releases"/> whoever hands it over has lost its lease.</summary>
    public static async ValueTask SaveAsync(Tx tx, Run run, bool releases = false)
    {
        var saved = await tx.ExecuteAsync(
            """
            UPDATE run SET status = $3, phase = $4, reason = $5, attempt = $6, marker = $7, event_seq = $8, failure_code = $9, failure_message = $10, failed_stage = $11,
              progress_millionths = $12, profile = $13, paused_from = $14, updated_at = $15, attempt_at = $16, started_at = $17, ended_at = $18,
              deadline_at = $19, total_at = $20, state_until = $21, due_at = $22, claim_at = $23, claim_until = $24, claim_seconds = $25, leases_lost = $26, dispatched = $27,
              boot_message = $28, lease_until = CASE WHEN $29 = 1 THEN 0 ELSE lease_until END, tries = $30,
              idle_until = CASE WHEN $29 = 1 THEN NULL ELSE idle_until END, approval = $31, approval_until = $32,
              waits_at = $33
            WHERE project = $1 AND id = $2
            """,
            run.Project, run.Id, run.Status, run.Phase, run.Reason, run.Attempt, run.Marker, run.EventSeq, run.FailureCode, run.FailureMessage, run.FailedStage,
            run.ProgressMillionths, run.Profile, run.PausedFrom, run.UpdatedAt, run.AttemptAt, run.StartedAt, run.EndedAt,
            run.DeadlineAt, run.TotalAt, run.StateUntil, run.DueAt, run.ClaimAt, run.ClaimUntil, run.ClaimSeconds, run.LeasesLost, run.Dispatched ? 1L : 0L,
            run.BootMessage ? 1L : 0L, releases ? 1L : 0L, run.Tries, run.Approval, run.ApprovalUntil, releases ? null : run.WaitsAt);
        if (saved != 1) throw new InvalidOperationException($"{run.Id} was changed without its row being held.");
        if (run.DueAt is not null) tx.Touch(Topics.Runs);
        if (run.ClaimAt is not null) tx.Touch(Topics.Claimable(run.Project, run.Agent));
        // It has ended, or its next attempt is yet to be handed over: another may have its place.
        if (releases && run.Session is null) await AgentPlaces.FreeAsync(tx, run.Project, run.Agent, ofSession: false);
    }

    /// <summary>The newest run of a session, live or ended.</summary>
    public static ValueTask<string?> LastOfAsync(Tx tx, string project, string session) =>
        tx.FirstAsync("SELECT id FROM run WHERE project = $1 AND session = $2 ORDER BY created_at DESC, id DESC LIMIT 1", r => r.GetString(0), project, session);

    /// <summary>
    /// Takes due runs under a lease with a fencing number; a run whose holder died is taken again when its lease has run out. Of
    /// the oldest that are due each agent has its turn, so that the backlog of one does not stand before all others.
    /// </summary>
    public Task<List<Run>> ClaimDueAsync(int limit, TimeSpan lease) =>
        database.WriteAsync(tx => tx.ListAsync(
            $"""
            UPDATE run SET lease_until = $2, lease_no = lease_no + 1
            WHERE (project, id) IN (
              SELECT project, id FROM run WHERE due_at <= $1 AND lease_until <= $1 AND (project, id) IN (
                SELECT project, id FROM (
                  SELECT project, id, due_at, ROW_NUMBER() OVER (PARTITION BY project, agent ORDER BY due_at) AS place FROM (
                    SELECT project, id, agent, due_at FROM run WHERE due_at <= $1 AND lease_until <= $1 ORDER BY due_at LIMIT $4) AS oldest
                ) AS placed ORDER BY place, due_at LIMIT $3){tx.ForUpdateSkipLocked})
            RETURNING {Columns}
            """, Map, tx.Now, tx.Now + (long)lease.TotalMicroseconds, (long)limit, DueALook));

    /// <summary>Gives back what was claimed and not done: another takes it at once.</summary>
    public Task<int> ReleaseAsync(Run run) =>
        database.WriteAsync(async tx =>
        {
            tx.Touch(Topics.Runs);
            return await tx.ExecuteAsync(
                "UPDATE run SET lease_until = 0 WHERE project = $1 AND id = $2 AND lease_no = $3 AND due_at IS NOT NULL",
                run.Project, run.Id, run.LeaseNo);
        });

    /// <summary>After a start on a database that no other process serves: whatever was claimed was claimed by a process that is gone.</summary>
    public Task<int> ReleaseAllAsync() => database.WriteAsync(async tx => await tx.ExecuteAsync(
        "UPDATE run SET lease_until = 0 WHERE due_at IS NOT NULL AND lease_until > 0"));

    /// <summary>False: the lease was lost, and whoever has it now does the work.</summary>
    public Task<bool> RenewAsync(Run run, TimeSpan lease) =>
        database.WriteAsync(async tx => await tx.ExecuteAsync(
            "UPDATE run SET lease_until = $4 WHERE project = $1 AND id = $2 AND lease_no = $3 AND due_at IS NOT NULL",
            run.Project, run.Id, run.LeaseNo, tx.Now + (long)lease.TotalMicroseconds) == 1);

    public static async ValueTask<bool> AwaitsApprovalAsync(Tx tx, string project, string id) =>
        await tx.FirstAsync("SELECT 1 FROM run WHERE project = $1 AND id = $2 AND approval IS NOT NULL", r => r.GetInt64(0), project, id) == 1;

    /// <summary>Whether the holder of a lease still has it; asked under the run's lock.</summary>
    public static async ValueTask<bool> HoldsLeaseAsync(Tx tx, Run run) =>
        await tx.FirstAsync("SELECT 1 FROM run WHERE project = $1 AND id = $2 AND lease_no = $3 AND lease_until > 0 AND due_at IS NOT NULL", r => r.GetInt64(0), run.Project, run.Id, run.LeaseNo) == 1;

    /// <summary>There is work: some node takes it as soon as it sees it.</summary>
    public static async ValueTask MakeDueAsync(Tx tx, string project, string id)
    {
        await tx.ExecuteAsync("UPDATE run SET due_at = $3, idle_until = NULL, updated_at = $3 WHERE project = $1 AND id = $2 AND ended_at IS NULL AND due_at IS NULL AND waits_at IS NULL AND claim_at IS NULL", project, id, tx.Now);
        tx.Touch(Topics.Runs);
    }

    /// <summary>A turn of it begins: it is not idle, and its session's own deadline runs beside its total one.</summary>
    public static ValueTask<int> BeginTurnAsync(Tx tx, Run run) =>
        tx.ExecuteAsync("UPDATE run SET idle_until = NULL, boot_message = 0, deadline_at = total_at WHERE project = $1 AND id = $2 AND ended_at IS NULL", run.Project, run.Id);

    /// <summary>Nothing is left to do: the run waits for the next message until the end of its idle window, which does not begin while a person is asked.</summary>
    public static ValueTask<int> RestAsync(Tx tx, string project, string id) =>
        tx.ExecuteAsync(
            """
            UPDATE run SET due_at = NULL, waits_at = NULL, lease_until = 0, tries = 0, boot_message = 0, claim_at = NULL, claim_until = NULL, claim_seconds = 0, deadline_at = COALESCE(approval_until, total_at),
              idle_until = CASE WHEN approval IS NULL THEN $3 + idle_seconds * 1000000 END, updated_at = $3 WHERE project = $1 AND id = $2 AND ended_at IS NULL
            """, project, id, tx.Now);

    /// <summary>More is due at once, for whichever node takes it next.</summary>
    public static async ValueTask AgainAsync(Tx tx, string project, string id)
    {
        await tx.ExecuteAsync("UPDATE run SET due_at = $3, waits_at = NULL, lease_until = 0, tries = 0, idle_until = NULL, claim_at = NULL, claim_until = NULL, claim_seconds = 0, boot_message = 0, updated_at = $3 WHERE project = $1 AND id = $2 AND ended_at IS NULL", project, id, tx.Now);
        tx.Touch(Topics.Runs);
    }

    /// <summary>It waits for a person: its idle window is not running out.</summary>
    public static ValueTask<int> StayAsync(Tx tx, string project, string id) => tx.ExecuteAsync("UPDATE run SET idle_until = NULL WHERE project = $1 AND id = $2", project, id);

    /// <summary>It was handed over: nothing is due here until the agent reports. A lease that was given up (its turn has ended meanwhile) changes nothing.</summary>
    public static ValueTask<int> HandedOverAsync(Tx tx, Run run) =>
        tx.ExecuteAsync("UPDATE run SET due_at = NULL, lease_until = 0, tries = 0, dispatched = 1 WHERE project = $1 AND id = $2 AND lease_no = $3 AND lease_until > 0", run.Project, run.Id, run.LeaseNo);

    /// <summary>Offered to the workers that claim, until one takes it or the deadline is over.</summary>
    public static async ValueTask OfferAsync(Tx tx, Run run)
    {
        await tx.ExecuteAsync(
            "UPDATE run SET due_at = NULL, waits_at = NULL, lease_until = 0, tries = 0, idle_until = NULL, claim_at = $3, claim_until = NULL, claim_seconds = 0, deadline_at = $4 WHERE project = $1 AND id = $2 AND ended_at IS NULL",
            run.Project, run.Id, tx.Now, run.Session is null ? run.DeadlineAt : Math.Min(run.TotalAt, tx.Now + (run.QueuedSeconds * 1_000_000)));
        tx.Touch(Topics.Claimable(run.Project, run.Agent));
    }

    /// <summary>A shorter time in all than its agent's, set with its start.</summary>
    public static ValueTask<int> LimitAsync(Tx tx, string project, string id, long seconds) =>
        tx.ExecuteAsync(
            "UPDATE run SET total_seconds = $3, total_at = created_at + $3 * 1000000, deadline_at = CASE WHEN deadline_at > created_at + $3 * 1000000 THEN created_at + $3 * 1000000 ELSE deadline_at END WHERE project = $1 AND id = $2",
            project, id, seconds);

    /// <summary>Takes up to a number of runs for a worker. Session and run are locked by what follows, in their order; here a row that another worker takes is passed over.</summary>
    public static ValueTask<List<Run>> TakeClaimableAsync(Tx tx, string project, string agent, int limit, long leaseSeconds) =>
        tx.ListAsync(
            $"""
            UPDATE run SET claim_at = NULL, claim_until = $3 + $4 * 1000000, claim_seconds = $4, dispatched = 1
            WHERE (project, id) IN (SELECT project, id FROM run WHERE project = $1 AND agent = $2 AND claim_at <= $3 + 1000000 AND (session IS NULL OR phase IN ('queued', 'running')) ORDER BY claim_at LIMIT $5{tx.ForUpdateSkipLocked})
            RETURNING {Columns}
            """, Map, project, agent, tx.Now, leaseSeconds, (long)limit);

    public ValueTask<List<Run>> IdleOverdueAsync(int limit) =>
        database.ReadAsync(tx => tx.ListAsync($"SELECT {Columns} FROM run WHERE idle_until <= $1 ORDER BY idle_until LIMIT $2", Map, tx.Now, limit));

    public ValueTask<List<Run>> PastDeadlineAsync(int limit) =>
        database.ReadAsync(tx => tx.ListAsync($"SELECT {Columns} FROM run WHERE ended_at IS NULL AND deadline_at <= $1 AND approval IS NULL ORDER BY deadline_at LIMIT $2", Map, tx.Now, limit));

    public ValueTask<List<Run>> LostByWorkersAsync(int limit) =>
        database.ReadAsync(tx => tx.ListAsync($"SELECT {Columns} FROM run WHERE claim_until <= $1 ORDER BY claim_until LIMIT $2", Map, tx.Now, limit));

    public ValueTask<List<Run>> EndedBeforeAsync(long before, int limit) =>
        database.ReadAsync(tx => tx.ListAsync($"SELECT {Columns} FROM run WHERE ended_at < $1 AND session IS NULL ORDER BY ended_at LIMIT $2", Map, before, limit));

    public static ValueTask<List<Run>> LiveOfAgentAsync(Tx tx, string project, string agent, int limit) =>
        tx.ListAsync($"SELECT {Columns} FROM run WHERE project = $1 AND agent = $2 AND ended_at IS NULL LIMIT $3", Map, project, agent, limit);

    /// <summary>Whether the idle window of a run is over still: asked again under the session's lock.</summary>
    public static async ValueTask<bool> IsIdleOverdueAsync(Tx tx, Run run) =>
        await tx.FirstAsync("SELECT 1 FROM run WHERE project = $1 AND id = $2 AND ended_at IS NULL AND idle_until <= $3", r => r.GetInt64(0), run.Project, run.Id, tx.Now) == 1;

    public static ValueTask<int> SetCallbackOutcomeAsync(Tx tx, string project, string id, string? outcome) =>
        tx.ExecuteAsync("UPDATE run SET callback_outcome = $3 WHERE project = $1 AND id = $2", project, id, outcome);

    /// <summary>A page, newest first.</summary>
    public ValueTask<Listed<Run>> ListAsync(string project, RunFilter filter, int limit, CancellationToken cancel)
    {
        return ListSearch.FindAsync(
            database, Newest, filter.After?.Place, limit, Narrow, Columns, Map, r => (r.CreatedAt, r.Id), cancel);

        ListQuery Narrow(Tx tx)
        {
            var query = new ListQuery(tx, "project = $1", project)
                .AnyOf("status", filter.Statuses)
                .AnyOf("phase", filter.Phases)
                .AnyOf("agent", filter.Agents)
                .AnyOf("session", filter.Sessions)
                .AnyOf("trigger_key", filter.Triggers)
                .HoldsAnyOf("tags", filter.Tags)
                .And("created_at >= {0}", filter.From)
                .And("created_at <= {0}", filter.To);
            return filter.WithInternal ? query : query.And(SessionStore.IsNotOfInternal("run"));
        }
    }

    private static readonly ListOrder Newest = new("run", "created_at");

    /// <summary>An expression for the session of a run; null where there is none.</summary>
    public static string SessionOf(string project, string run) =>
        $"(SELECT of_run.session FROM run of_run WHERE of_run.project = {project} AND of_run.id = {run})";

    /// <summary>Locks the ended runs of a session, whose row the caller holds.</summary>
    public static async ValueTask LockEndedOfSessionAsync(Tx tx, string project, string session)
    {
        if (tx.ForUpdate.Length == 0) return;
        await tx.ListAsync(
            $"""
            SELECT 1 FROM run WHERE project = $1 AND session = $2 AND ended_at IS NOT NULL ORDER BY id{tx.ForUpdate}
            """, _ => 1, project, session);
    }

    /// <summary>All that is kept of a run: with its retention, or with its session.</summary>
    public static async ValueTask DeleteAsync(Tx tx, string project, string id)
    {
        await tx.ExecuteAsync("DELETE FROM run_request WHERE project = $1 AND run = $2", project, id);
        if (await LockAsync(tx, project, id) is null) return;
        foreach (var table in (string[])["run_event", "run_data", "run_attempt"]) await tx.ExecuteAsync($"DELETE FROM {table} WHERE project = $1 AND run = $2", project, id);
        await ApprovalStore.ForgetAsync(tx, project, id);
        await tx.ExecuteAsync("DELETE FROM run WHERE project = $1 AND id = $2", project, id);
    }

    private static Run Map(DbDataReader r) => new()
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
