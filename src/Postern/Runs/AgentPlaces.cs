using Postern.Agents;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// The places at an agent: as many turns, and as many runs without a session, as its <c>concurrency</c> lets be under
/// way at once; turns and runs are counted apart. A run that finds no place waits: it is not due, so it costs nothing,
/// however many wait. What frees a place makes the oldest that waits due, in its own transaction; it then asks for the
/// place as any other.
///
/// A place is taken under the lock of the agent's row, and freed without it. So a run that begins to wait while the
/// last place is being freed may be passed over; the dispatcher looks for such runs, and also for those whose agent was
/// changed meanwhile (<see cref="NextAgentAsync"/>).
/// </summary>
internal static class AgentPlaces
{
    /// <summary>
    /// Whether there is a place for one more run without a session, asked under the lock of the agent's row until the
    /// transaction ends.
    /// </summary>
    public static async ValueTask<bool> HasRoomAsync(Tx tx, string project, string agent, long most)
    {
        await AgentStore.LockAsync(tx, project, agent);
        return await TakenAsync(tx, project, agent) < most;
    }

    /// <summary>
    /// A claimed run waits, in the order of when it became due. It keeps that place however often it asks.
    /// </summary>
    public static ValueTask<int> WaitAsync(Tx tx, Run run) =>
        tx.ExecuteAsync(
            """
            UPDATE run SET waits_at = due_at, due_at = NULL, lease_until = 0
            WHERE project = $1 AND id = $2 AND lease_no = $3 AND lease_until > 0 AND due_at IS NOT NULL
            """,
            run.Project,
            run.Id,
            run.LeaseNo
        );

    /// <summary>
    /// A place is free, or may be: the oldest that wait are due. Those that stand still for a person are passed over.
    /// </summary>
    public static async ValueTask<int> FreeAsync(Tx tx, string project, string agent, bool ofSession, long places = 1)
    {
        var woken = await tx.ExecuteAsync(
            $"""
            UPDATE run SET due_at = waits_at, waits_at = NULL WHERE (project, id) IN (
              SELECT project, id FROM run WHERE {Waiting(ofSession)} ORDER BY waits_at LIMIT $3{tx.ForUpdateSkipLocked})
            """,
            project,
            agent,
            places
        );
        if (woken > 0)
            tx.Notify(Topics.Runs);
        return woken;
    }

    /// <summary>Returns the next agent after one that something waits for; null when there is none.</summary>
    public static ValueTask<AgentName?> NextAgentAsync(Tx tx, AgentName after) =>
        tx.FirstAsync<AgentName?>(
            """
            SELECT project, agent
            FROM run
            WHERE (project, agent) > ($1, $2) AND waits_at IS NOT NULL
            ORDER BY project, agent LIMIT 1
            """,
            r => new AgentName(r.GetString(0), r.GetString(1)),
            after.Project,
            after.Agent
        );

    /// <summary>Returns whether a run waits for a place at an agent.</summary>
    public static async ValueTask<bool> IsWaitedForAsync(Tx tx, AgentName name, bool ofSession) =>
        await tx.FirstAsync(
            $"SELECT 1 FROM run WHERE {Waiting(ofSession)} LIMIT 1",
            r => r.GetInt64(0),
            name.Project,
            name.Agent
        ) == 1;

    /// <summary>Runs without a session that an agent works on.</summary>
    public static ValueTask<long> TakenAsync(Tx tx, string project, string agent) =>
        tx.FirstAsync(
            """
            SELECT COUNT(*) FROM run WHERE project = $1 AND agent = $2 AND ended_at IS NULL AND session IS NULL
              AND dispatched = 1 AND due_at IS NULL AND waits_at IS NULL
            """,
            r => r.GetInt64(0),
            project,
            agent
        );

    private static string Waiting(bool ofSession) =>
        $"project = $1 AND agent = $2 AND waits_at IS NOT NULL AND phase NOT IN ('waiting', 'paused') AND session IS "
        + (ofSession ? "NOT NULL" : "NULL");
}
