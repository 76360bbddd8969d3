using Postern.Access;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// The rows of runs. A transaction that changes a run holds its row (<see cref="HeldRun"/>), and its session's row
/// before it. Every statement is conditional, and its row count is the result.
/// </summary>
internal sealed class RunStore(Database database, Reactions<RunForgotten> forgotten)
{
    private const int DueAtOnce = 1024;

    public static ValueTask<Run?> FindAsync(Tx tx, string project, string id) =>
        tx.FirstAsync(RunRow.Find, Row<Run>.Read, project, id);

    /// <summary>
    /// Returns the state on which its workers' credentials depend, or null when there is no such run.
    /// </summary>
    public ValueTask<RunState?> ReadStateAsync(string project, string id) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT attempt, attempt_at, ended_at FROM run WHERE project = $1 AND id = $2",
                r => new RunState(r.GetInt64(0), r.GetInt64(1), r.LongOrNull(2)),
                project,
                id
            )
        );

    public ValueTask<Run?> FindAsync(string project, string id) => database.ReadAsync(tx => FindAsync(tx, project, id));

    /// <summary>Returns the newest run of a session, live or ended.</summary>
    public static ValueTask<string?> LastOfAsync(Tx tx, string project, string session) =>
        tx.FirstAsync(
            "SELECT id FROM run WHERE project = $1 AND session = $2 ORDER BY created_at DESC, id DESC LIMIT 1",
            r => r.GetString(0),
            project,
            session
        );

    /// <summary>
    /// Claims due runs under a lease with a fencing number. The run of a dead holder is claimed again after its lease.
    /// Among the oldest due runs agents take turns, so that the backlog of one does not delay the others.
    /// </summary>
    public Task<List<Run>> ClaimDueAsync(int limit, TimeSpan lease) =>
        database.WriteAsync(tx =>
            tx.ListAsync(
                $"""
                UPDATE run SET lease_until = $2, lease_no = lease_no + 1
                WHERE (project, id) IN (
                  SELECT project, id FROM run WHERE due_at <= $1 AND lease_until <= $1 AND (project, id) IN (
                    SELECT project, id FROM (
                      SELECT project, id, due_at, ROW_NUMBER() OVER (PARTITION BY project, agent
                      ORDER BY due_at) AS place FROM (
                        SELECT project, id, agent, due_at FROM run WHERE due_at <= $1 AND lease_until <= $1
                      ORDER BY due_at LIMIT $4) AS oldest
                    ) AS placed ORDER BY place, due_at LIMIT $3){tx.ForUpdateSkipLocked})
                RETURNING {Row<Run>.Columns}
                """,
                Row<Run>.Read,
                tx.Now,
                tx.Now + (long)lease.TotalMicroseconds,
                (long)limit,
                DueAtOnce
            )
        );

    /// <summary>Releases claimed runs that were not handled: another node may take them at once.</summary>
    public Task<int> ReleaseAsync(Run run) =>
        database.WriteAsync(async tx =>
        {
            tx.Notify(Topics.Runs);
            return await tx.ExecuteAsync(
                """
                UPDATE run
                SET lease_until = 0
                WHERE project = $1 AND id = $2 AND lease_no = $3 AND due_at IS NOT NULL
                """,
                run.Project,
                run.Id,
                run.LeaseNo
            );
        });

    /// <summary>
    /// Releases all leases at the start on a database that only this process uses: their holder is a process that has
    /// ended.
    /// </summary>
    public Task<int> ReleaseAllAsync() =>
        database.WriteAsync(async tx =>
            await tx.ExecuteAsync("UPDATE run SET lease_until = 0 WHERE due_at IS NOT NULL AND lease_until > 0")
        );

    /// <summary>Returns false when the lease was lost; its new holder does the work.</summary>
    public Task<bool> RenewAsync(Run run, TimeSpan lease) =>
        database.WriteAsync(async tx =>
            await tx.ExecuteAsync(
                """
                UPDATE run
                SET lease_until = $4
                WHERE project = $1 AND id = $2 AND lease_no = $3 AND due_at IS NOT NULL
                """,
                run.Project,
                run.Id,
                run.LeaseNo,
                tx.Now + (long)lease.TotalMicroseconds
            ) == 1
        );

    /// <summary>
    /// Claims up to a number of runs for a worker. The caller then locks session and run, in that order. A row that
    /// another worker is taking is passed over.
    /// </summary>
    public static ValueTask<List<Run>> TakeClaimableAsync(
        Tx tx,
        string project,
        string agent,
        int limit,
        long leaseSeconds
    ) =>
        tx.ListAsync(
            $"""
            UPDATE run SET claim_at = NULL, claim_until = $3 + $4 * 1000000, claim_seconds = $4, dispatched = 1
            WHERE (project, id) IN (SELECT project, id FROM run
              WHERE project = $1 AND agent = $2 AND claim_at <= $3 + 1000000 AND (session IS NULL
              OR phase IN ('queued', 'running')) ORDER BY claim_at LIMIT $5{tx.ForUpdateSkipLocked})
            RETURNING {Row<Run>.Columns}
            """,
            Row<Run>.Read,
            project,
            agent,
            tx.Now,
            leaseSeconds,
            (long)limit
        );

    public ValueTask<List<Run>> IdleOverdueAsync(int limit) =>
        OverdueAsync("FROM run WHERE idle_until <= $1 ORDER BY idle_until", limit);

    /// <summary>
    /// Returns whether some run is past its deadline, and whether some was lost by its worker. Mostly none is, and then
    /// the reaper has asked once.
    /// </summary>
    public ValueTask<(bool PastDeadline, bool Lost)> HasOverdueAsync() =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                $"SELECT (SELECT 1 {PastDeadline} LIMIT 1), (SELECT 1 {LostByWorkers} LIMIT 1)",
                r => (!r.IsDBNull(0), !r.IsDBNull(1)),
                tx.Now
            )
        );

    public ValueTask<List<Run>> PastDeadlineAsync(int limit) => OverdueAsync(PastDeadline, limit);

    public ValueTask<List<Run>> LostByWorkersAsync(int limit) => OverdueAsync(LostByWorkers, limit);

    private ValueTask<List<Run>> OverdueAsync(string those, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync($"SELECT {Row<Run>.Columns} {those} LIMIT $2", Row<Run>.Read, tx.Now, limit)
        );

    private const string PastDeadline = """
        FROM run WHERE ended_at IS NULL AND deadline_at <= $1 AND approval IS NULL ORDER BY deadline_at
        """;

    private const string LostByWorkers = "FROM run WHERE claim_until <= $1 ORDER BY claim_until";

    public ValueTask<List<Run>> EndedBeforeAsync(long before, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Row<Run>.Columns} FROM run
                WHERE ended_at < $1 AND session IS NULL ORDER BY ended_at LIMIT $2
                """,
                Row<Run>.Read,
                before,
                limit
            )
        );

    public static ValueTask<List<Run>> LiveOfAgentAsync(Tx tx, string project, string agent, int limit) =>
        tx.ListAsync(
            $"SELECT {Row<Run>.Columns} FROM run WHERE project = $1 AND agent = $2 AND ended_at IS NULL LIMIT $3",
            Row<Run>.Read,
            project,
            agent,
            limit
        );

    /// <summary>Returns whether the idle timer of a run is still over. Called again under the session's lock.</summary>
    public static async ValueTask<bool> IsIdleOverdueAsync(Tx tx, Run run) =>
        await tx.FirstAsync(
            "SELECT 1 FROM run WHERE project = $1 AND id = $2 AND ended_at IS NULL AND idle_until <= $3",
            r => r.GetInt64(0),
            run.Project,
            run.Id,
            tx.Now
        ) == 1;

    public static ValueTask<int> SetCallbackOutcomeAsync(Tx tx, string project, string id, string? outcome) =>
        tx.ExecuteAsync("UPDATE run SET callback_outcome = $3 WHERE project = $1 AND id = $2", project, id, outcome);

    /// <summary>Returns a page, newest first.</summary>
    public ValueTask<Listed<Run>> ListAsync(string project, RunFilter filter, int limit, CancellationToken cancel) =>
        ListSearch.FindAsync(
            database,
            Newest,
            filter.After?.Place,
            limit,
            tx => Narrow(tx, project, filter),
            Row<Run>.Columns,
            Row<Run>.Read,
            r => (r.CreatedAt, r.Id),
            cancel,
            filter.IsOfText ? ListSearch.MostForText : int.MaxValue
        );

    /// <summary>Returns the conditions of a list, without the place where its page begins.</summary>
    public static ListQuery Narrow(Tx tx, string project, RunFilter filter)
    {
        var query = new ListQuery(tx, "project = $1", project)
            .AnyOf("id", filter.Ids)
            .AnyOf("status", filter.Statuses)
            .AnyOf("phase", filter.Phases)
            .AnyOf("agent", filter.Agents)
            .AnyOf("session", filter.Sessions)
            .AnyOf("trigger_key", filter.Triggers)
            .AnyOf("failure_code", filter.FailureCodes)
            .HoldsAnyOf("tags", filter.Tags)
            .And("created_at >= {0}", filter.From)
            .And("created_at <= {0}", filter.To)
            .Holds(filter.Reason, "reason")
            .Holds(filter.Text, "reason", "failure_message", "tags");
        return filter.IsShown is null ? query : query.And(filter.IsShown);
    }

    /// <summary>Returns runs whose ids begin with a text, newest last.</summary>
    public ValueTask<List<Run>> BeginningWithAsync(string project, string text, string? isShown, int limit) =>
        database.ReadAsync(tx =>
        {
            var query = new ListQuery(tx, "project = $1 AND id >= $2 AND id < $3", project, text, text + "~");
            if (isShown is not null)
                query.And(isShown);
            var most = query.Arg((long)limit);
            return tx.ListAsync(
                $"SELECT {Row<Run>.Columns} FROM run WHERE {query.Where} ORDER BY id LIMIT {most}",
                Row<Run>.Read,
                query.Args
            );
        });

    private static readonly ListOrder Newest = new("run", "created_at");

    /// <summary>The implementation of <see cref="NoLiveRunSince"/>.</summary>
    public static string NoneLivesSince(string project, string instant) =>
        "NOT EXISTS (SELECT 1 FROM run of_run "
        // The agent leads SQLite to the index of live runs, in place of one of all runs.
        + $"WHERE of_run.project = {project} AND of_run.agent > '' AND of_run.ended_at IS NULL "
        + $"AND of_run.attempt_at <= {instant})";

    /// <summary>Returns a condition: a run has not ended. False when there is no run.</summary>
    /// <param name="project">An expression.</param>
    /// <param name="run">An expression for its id.</param>
    public static string IsLive(string project, string run) =>
        $"EXISTS (SELECT 1 FROM run of_run WHERE of_run.project = {project} AND of_run.id = {run} "
        + "AND of_run.ended_at IS NULL)";

    /// <summary>Returns a condition: a run is in its first attempt. False when there is no run.</summary>
    /// <param name="project">An expression.</param>
    /// <param name="run">An expression for its id; null for none.</param>
    public static string IsInFirstAttempt(string project, string run) => FirstAttempt(project, run, "");

    /// <summary>Returns a condition: a run is in its first attempt and was not handed to its agent.</summary>
    /// <inheritdoc cref="IsInFirstAttempt"/>
    public static string WasNeverHandedOver(string project, string run) =>
        FirstAttempt(project, run, " AND of_run.dispatched = 0");

    private static string FirstAttempt(string project, string run, string and) =>
        $"EXISTS (SELECT 1 FROM run of_run WHERE of_run.project = {project} AND of_run.id = {run} "
        + $"AND of_run.attempt <= 1{and})";

    /// <summary>Returns whether a worker of an agent could claim something now.</summary>
    public static async ValueTask<bool> HasClaimableAsync(Tx tx, string project, string agent) =>
        await tx.FirstAsync(
            "SELECT 1 FROM run WHERE project = $1 AND agent = $2 AND claim_at <= $3 + 1000000 LIMIT 1",
            r => r.GetInt64(0),
            project,
            agent,
            tx.Now
        ) == 1;

    /// <summary>Returns an expression for the session of a run; null when there is none.</summary>
    public static string SessionOf(string project, string run) =>
        $"(SELECT of_run.session FROM run of_run WHERE of_run.project = {project} AND of_run.id = {run})";

    /// <summary>Locks the ended runs of a session, whose row the caller holds.</summary>
    public static async ValueTask LockEndedOfSessionAsync(Tx tx, string project, string session)
    {
        if (tx.IsAlone)
            return;
        await tx.ListAsync(
            $"""
            SELECT 1 FROM run WHERE project = $1 AND session = $2 AND ended_at IS NOT NULL ORDER BY id{tx.ForUpdate}
            """,
            _ => 1,
            project,
            session
        );
    }

    /// <summary>Returns ended runs of a session.</summary>
    public ValueTask<List<string>> EndedOfSessionAsync(string project, string session, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                "SELECT id FROM run WHERE project = $1 AND session = $2 AND ended_at IS NOT NULL LIMIT $3",
                r => r.GetString(0),
                project,
                session,
                (long)limit
            )
        );

    /// <summary>Deletes everything about an ended run. Does nothing when there is none.</summary>
    public async ValueTask DeleteAsync(Tx tx, string project, string id)
    {
        await tx.ExecuteAsync("DELETE FROM run_request WHERE project = $1 AND run = $2", project, id);
        if (await HeldRun.LockAsync(tx, project, id) is not { IsEnded: true })
            return;
        foreach (var table in OfRuns)
            await tx.ExecuteAsync($"DELETE FROM {table} WHERE project = $1 AND run = $2", project, id);
        await forgotten.RaiseAsync(tx, new RunForgotten(project, id));
        await tx.ExecuteAsync("DELETE FROM run WHERE project = $1 AND id = $2", project, id);
    }

    /// <summary>
    /// Deletes the names under which the ended runs of a session were requested. In the order of locks, they come
    /// before the session's row.
    /// </summary>
    public static ValueTask<int> DeleteRequestsOfSessionAsync(Tx tx, string project, string session) =>
        tx.ExecuteAsync($"DELETE FROM run_request WHERE project = $1 AND {EndedOfSession}", project, session);

    /// <summary>Deletes what belongs to the ended runs of a session; the caller holds all rows.</summary>
    public static async ValueTask DeletePartsOfSessionAsync(Tx tx, string project, string session)
    {
        foreach (var table in OfRuns)
            await tx.ExecuteAsync($"DELETE FROM {table} WHERE project = $1 AND {EndedOfSession}", project, session);
    }

    /// <summary>Deletes the ended runs of a session, after everything that belonged to them.</summary>
    public static ValueTask<int> DeleteOfSessionAsync(Tx tx, string project, string session) =>
        tx.ExecuteAsync(
            "DELETE FROM run WHERE project = $1 AND session = $2 AND ended_at IS NOT NULL",
            project,
            session
        );

    private static readonly string[] OfRuns = ["run_event", "run_data", "run_attempt"];

    /// <summary>Returns a condition on a column <c>run</c>: it is an ended run of project $1, session $2.</summary>
    public const string EndedOfSession =
        "run IN (SELECT id FROM run WHERE project = $1 AND session = $2 AND ended_at IS NOT NULL)";
}
