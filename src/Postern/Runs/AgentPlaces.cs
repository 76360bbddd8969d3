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
/// last place is being freed may be passed over; <see cref="WakeAsync(ValueTuple{string, string})"/> finds it, and also
/// those whose agent was changed meanwhile.
/// </summary>
internal sealed class AgentPlaces(Database database)
{
    private const int AgentsALook = 256;
    private const int WakesAtOnce = 256;

    /// <summary>
    /// Whether there is a place for one more, asked under the lock of the agent's row until the transaction ends.
    /// </summary>
    public static async ValueTask<bool> HasRoomAsync(Tx tx, string project, string agent, bool ofSession, long most)
    {
        await AgentStore.LockAsync(tx, project, agent);
        return await TakenAsync(tx, project, agent, ofSession) < most;
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

    /// <summary>
    /// Looks at the agents that something waits for, after one of them; it writes only where there is a place. Returns
    /// where it ended.
    /// </summary>
    public async Task<(string Project, string Agent)> WakeAsync((string Project, string Agent) after)
    {
        for (var look = 0; look < AgentsALook; look++)
        {
            var next = await database.ReadAsync(tx =>
                tx.FirstAsync<(string, string)?>(
                    """
                    SELECT project, agent
                    FROM run
                    WHERE (project, agent) > ($1, $2) AND waits_at IS NOT NULL
                    ORDER BY project, agent LIMIT 1
                    """,
                    r => (r.GetString(0), r.GetString(1)),
                    after.Project,
                    after.Agent
                )
            );
            if (next is not { } there)
                return ("", "");
            after = there;
            await WakeAsync(after.Project, after.Agent, ofSession: true);
            await WakeAsync(after.Project, after.Agent, ofSession: false);
        }
        return after;
    }

    private async Task WakeAsync(string project, string agent, bool ofSession)
    {
        var places = await database.ReadAsync(async tx =>
        {
            if (
                await tx.FirstAsync(
                    $"SELECT 1 FROM run WHERE {Waiting(ofSession)} LIMIT 1",
                    r => r.GetInt64(0),
                    project,
                    agent
                ) == 0
            )
                return 0;
            // Without a bound, or without its agent, none has anything to wait for.
            return (await AgentStore.FindAsync(tx, project, agent))?.Settings.Concurrency is { } most
                ? most - await TakenAsync(tx, project, agent, ofSession)
                : WakesAtOnce;
        });
        if (places > 0)
            await database.WriteAsync(tx => FreeAsync(tx, project, agent, ofSession, Math.Min(places, WakesAtOnce)));
    }

    private static string Waiting(bool ofSession) =>
        $"project = $1 AND agent = $2 AND waits_at IS NOT NULL AND phase NOT IN ('waiting', 'paused') AND session IS "
        + (ofSession ? "NOT NULL" : "NULL");

    /// <summary>Open turns; or runs without a session that are being worked on.</summary>
    private static ValueTask<long> TakenAsync(Tx tx, string project, string agent, bool ofSession) =>
        tx.FirstAsync(
            ofSession
                ? "SELECT COUNT(*) FROM session WHERE project = $1 AND agent = $2 AND turn_deadline IS NOT NULL"
                : """
                SELECT COUNT(*) FROM run WHERE project = $1 AND agent = $2 AND ended_at IS NULL AND session IS NULL
                  AND dispatched = 1 AND due_at IS NULL AND waits_at IS NULL
                """,
            r => r.GetInt64(0),
            project,
            agent
        );
}
