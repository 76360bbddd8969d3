using Postern.Agents;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// The places at an agent: its <c>concurrency</c> limits the turns, and separately the runs without a session, that are
/// under way at once. A run without a place waits: it is not due, so waiting costs nothing. When a place becomes free,
/// the oldest waiting run becomes due in the same transaction, and then asks for the place like any other.
///
/// A place is taken under the lock of the agent's row, and freed without it. So a run that begins to wait at the moment
/// when the last place becomes free may be missed. The dispatcher looks for such runs, and for those whose agent was
/// changed (<see cref="NextAgentAsync"/>).
/// </summary>
internal static class AgentPlaces
{
    /// <summary>
    /// Returns whether there is a place for one more run without a session, under the lock of the agent's row, until
    /// the transaction ends.
    /// </summary>
    public static async ValueTask<bool> HasRoomAsync(Tx tx, string project, string agent, long most)
    {
        await AgentStore.LockAsync(tx, project, agent);
        return await TakenAsync(tx, project, agent) < most;
    }

    /// <summary>
    /// Makes a claimed run wait. It keeps its order, the time when it became due, however often it asks.
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
    /// A place is free, or may be: makes the oldest waiting runs due. Those that wait for a person are passed over.
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

    /// <summary>Returns the next agent, after a given one, for which a run waits, or null.</summary>
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

    /// <summary>Counts the runs without a session on which an agent works.</summary>
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
