using System.Data.Common;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>The runs' rows. Every change of state is conditional on the state it leaves, and its row count is the verdict.</summary>
internal sealed class RunStore(Database database)
{
    private const string Columns = """
        project, id, agent, session, status, reason, attempt, input, boot_message, continuation, previous_run,
        created_at, started_at, ended_at, deadline_at, due_at, lease_no, tries, idle_seconds
        """;

    public static async ValueTask InsertAsync(Tx tx, Run run)
    {
        await tx.ExecuteAsync(
            """
            INSERT INTO run (project, id, agent, workflow, session, status, attempt, input, boot_message, continuation, previous_run,
              created_at, updated_at, deadline_at, due_at, lease_until, lease_no, tries, idle_seconds)
            VALUES ($1, $2, $3, 'agent', $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13, 0, 0, 0, $14)
            """,
            run.Project, run.Id, run.Agent, run.Session, run.Status, run.Attempt, run.Input, run.BootMessage ? 1L : 0L, run.Continuation ? 1L : 0L, run.PreviousRun,
            run.CreatedAt, run.DeadlineAt, run.DueAt, run.IdleSeconds);
        tx.Touch(Topics.Runs);
    }

    public static ValueTask<Run?> FindAsync(Tx tx, string project, string id) =>
        tx.FirstAsync($"SELECT {Columns} FROM run WHERE project = $1 AND id = $2", Map, project, id);

    public ValueTask<Run?> FindAsync(string project, string id) => database.ReadAsync(tx => FindAsync(tx, project, id));

    /// <summary>The newest run of a session, live or ended.</summary>
    public static ValueTask<string?> LastOfAsync(Tx tx, string project, string session) =>
        tx.FirstAsync("SELECT id FROM run WHERE project = $1 AND session = $2 ORDER BY created_at DESC, id DESC LIMIT 1", r => r.GetString(0), project, session);

    /// <summary>Takes due runs under a lease with a fencing number; a run whose holder died is taken again when its lease has run out.</summary>
    public Task<List<Run>> ClaimDueAsync(int limit, TimeSpan lease) =>
        database.WriteAsync(tx => tx.ListAsync(
            $"""
            UPDATE run SET lease_until = $2, lease_no = lease_no + 1
            WHERE (project, id) IN (SELECT project, id FROM run WHERE due_at <= $1 AND lease_until <= $1 ORDER BY due_at LIMIT $3{tx.ForUpdateSkipLocked})
            RETURNING {Columns}
            """, Map, tx.Now, tx.Now + (long)lease.TotalMicroseconds, limit));

    /// <summary>False: the lease was lost, and whoever has it now does the work.</summary>
    public Task<bool> RenewAsync(Run run, TimeSpan lease) =>
        database.WriteAsync(async tx => await tx.ExecuteAsync(
            "UPDATE run SET lease_until = $4 WHERE project = $1 AND id = $2 AND lease_no = $3 AND due_at IS NOT NULL",
            run.Project, run.Id, run.LeaseNo, tx.Now + (long)lease.TotalMicroseconds) == 1);

    /// <summary>Queued or running to running, its first time or for another turn.</summary>
    public static async ValueTask<bool> StartAsync(Tx tx, Run run, long deadlineAt) =>
        await tx.ExecuteAsync(
            """
            UPDATE run SET status = 'running', started_at = COALESCE(started_at, $3), deadline_at = $4, idle_until = NULL, boot_message = 0, updated_at = $3
            WHERE project = $1 AND id = $2 AND ended_at IS NULL AND status IN ('queued', 'running')
            """, run.Project, run.Id, tx.Now, deadlineAt) == 1;

    /// <summary>There is work: some node takes it as soon as it sees it.</summary>
    public static async ValueTask MakeDueAsync(Tx tx, string project, string id)
    {
        await tx.ExecuteAsync("UPDATE run SET due_at = $3, idle_until = NULL, updated_at = $3 WHERE project = $1 AND id = $2 AND ended_at IS NULL AND due_at IS NULL", project, id, tx.Now);
        tx.Touch(Topics.Runs);
    }

    /// <summary>Nothing is left to do: the run waits for the next message until the end of its idle window.</summary>
    public static ValueTask<int> RestAsync(Tx tx, string project, string id) =>
        tx.ExecuteAsync(
            "UPDATE run SET status = 'running', started_at = COALESCE(started_at, $3), due_at = NULL, lease_until = 0, tries = 0, boot_message = 0, idle_until = $3 + idle_seconds * 1000000, updated_at = $3 WHERE project = $1 AND id = $2 AND ended_at IS NULL",
            project, id, tx.Now);

    /// <summary>More is due at once, for whichever node takes it next.</summary>
    public static async ValueTask AgainAsync(Tx tx, string project, string id)
    {
        await tx.ExecuteAsync("UPDATE run SET due_at = $3, lease_until = 0, tries = 0, idle_until = NULL, boot_message = 0, updated_at = $3 WHERE project = $1 AND id = $2 AND ended_at IS NULL", project, id, tx.Now);
        tx.Touch(Topics.Runs);
    }

    /// <summary>The agent has taken the turn on: nothing is due here until it reports. A lease that was given up (its turn has ended meanwhile) changes nothing.</summary>
    public static ValueTask<int> HandedOverAsync(Tx tx, Run run) =>
        tx.ExecuteAsync("UPDATE run SET due_at = NULL, lease_until = 0, tries = 0 WHERE project = $1 AND id = $2 AND lease_no = $3 AND lease_until > 0", run.Project, run.Id, run.LeaseNo);

    /// <summary>Tried and to be tried again at a time.</summary>
    public static ValueTask<int> PostponeAsync(Tx tx, Run run, long dueAt) =>
        tx.ExecuteAsync("UPDATE run SET due_at = $4, lease_until = 0, tries = tries + 1 WHERE project = $1 AND id = $2 AND lease_no = $3 AND lease_until > 0", run.Project, run.Id, run.LeaseNo, dueAt);

    /// <summary>Not tried, only to be asked again at a time: its agent has no place free.</summary>
    public static ValueTask<int> DeferAsync(Tx tx, Run run, long dueAt) =>
        tx.ExecuteAsync("UPDATE run SET due_at = $4, lease_until = 0 WHERE project = $1 AND id = $2 AND lease_no = $3 AND lease_until > 0", run.Project, run.Id, run.LeaseNo, dueAt);

    /// <summary>The end of a live run. False: it had ended, and what it ended as stands.</summary>
    /// <param name="tx">Holds the lock of the run's session, where it has one.</param>
    /// <param name="project">The tenant.</param>
    /// <param name="id">The run.</param>
    /// <param name="status">A terminal status.</param>
    /// <param name="reason">For a person; null when it simply succeeded.</param>
    /// <param name="tellAgent">The agent is still to be told: stays due until that is done.</param>
    public static async ValueTask<bool> EndAsync(Tx tx, string project, string id, string status, string? reason, bool tellAgent = false)
    {
        var ended = await tx.ExecuteAsync(
            """
            UPDATE run SET status = $3, reason = $4, ended_at = $5, updated_at = $5, idle_until = NULL, due_at = $6, lease_until = 0, tries = 0
            WHERE project = $1 AND id = $2 AND ended_at IS NULL
            """, project, id, status, reason, tx.Now, tellAgent ? tx.Now : null) == 1;
        if (ended && tellAgent) tx.Touch(Topics.Runs);
        return ended;
    }

    public ValueTask<List<Run>> IdleOverdueAsync(int limit) =>
        database.ReadAsync(tx => tx.ListAsync($"SELECT {Columns} FROM run WHERE idle_until <= $1 ORDER BY idle_until LIMIT $2", Map, tx.Now, limit));

    public ValueTask<List<Run>> PastDeadlineAsync(int limit) =>
        database.ReadAsync(tx => tx.ListAsync($"SELECT {Columns} FROM run WHERE ended_at IS NULL AND deadline_at <= $1 ORDER BY deadline_at LIMIT $2", Map, tx.Now, limit));

    public static ValueTask<List<Run>> LiveOfAgentAsync(Tx tx, string project, string agent, int limit) =>
        tx.ListAsync($"SELECT {Columns} FROM run WHERE project = $1 AND agent = $2 AND ended_at IS NULL LIMIT $3", Map, project, agent, limit);

    /// <summary>Whether the idle window of a run is over still: asked again under the session's lock.</summary>
    public static async ValueTask<bool> IsIdleOverdueAsync(Tx tx, Run run) =>
        await tx.FirstAsync("SELECT 1 FROM run WHERE project = $1 AND id = $2 AND ended_at IS NULL AND idle_until <= $3", r => r.GetInt64(0), run.Project, run.Id, tx.Now) == 1;

    private static Run Map(DbDataReader r) => new(
        r.GetString(0), r.GetString(1), r.GetString(2), r.TextOrNull(3), r.GetString(4), r.TextOrNull(5), r.GetInt64(6),
        r.BytesOrNull(7), r.Flag(8), r.Flag(9), r.TextOrNull(10), r.GetInt64(11), r.LongOrNull(12), r.LongOrNull(13), r.GetInt64(14), r.LongOrNull(15), r.GetInt64(16), r.GetInt64(17), r.GetInt64(18));
}
