using Postern.Runs;
using Postern.Storage;

namespace Postern.Sessions;

/// <content>The parts of a session's row about its run, its turns and its next message.</content>
internal sealed partial class SessionStore
{
    /// <summary>
    /// Removes the run from a session, whose row the caller holds. The run is about to end, and the caller handles the
    /// turn.
    /// </summary>
    public static void DetachRun(Tx tx, string project, string id) =>
        tx.Queue("UPDATE session SET current_run = NULL WHERE project = $1 AND id = $2", project, id);

    /// <summary>Stores the number of the next message, after one was written beside the turns.</summary>
    public static void SetMessageNext(Tx tx, string project, string id, long next)
    {
        ListChanged(tx, project);
        tx.Queue(
            "UPDATE session SET message_next = $3, updated_at = $4 WHERE project = $1 AND id = $2",
            project,
            id,
            next,
            tx.Now
        );
    }

    /// <summary>Counts the open turns of an agent.</summary>
    public static ValueTask<long> OpenTurnsAsync(Tx tx, string project, string agent) =>
        tx.FirstAsync(
            "SELECT COUNT(*) FROM session WHERE project = $1 AND agent = $2 AND turn_deadline IS NOT NULL",
            r => r.GetInt64(0),
            project,
            agent
        );

    /// <summary>
    /// Stores the next attempt of a session's run. Appends of an earlier attempt are refused from now on.
    /// </summary>
    public static ValueTask<int> SetAttemptAsync(Tx tx, Run run) =>
        tx.ExecuteAsync(
            "UPDATE session SET current_attempt = $4 WHERE project = $1 AND id = $2 AND current_run = $3",
            run.Project,
            run.Session,
            run.Id,
            run.Attempt
        );
}
