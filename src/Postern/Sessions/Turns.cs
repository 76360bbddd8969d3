using Postern.Agents;
using Postern.Runs;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// How a turn of a session begins: what a claimed run is due for, and how much time it has. How it ends is
/// <see cref="Conversation"/>'s.
/// </summary>
internal sealed class Turns(RunMachine machine, SessionReactions raise, PosternOptions options)
{
    /// <summary>
    /// Opens the turn that a claimed run is due for, or goes on with the one that a lost holder had opened. Null:
    /// nothing waits for an answer.
    /// </summary>
    public async ValueTask<(Session Session, HeldRun Run)?> BeginAsync(
        Tx tx,
        Run claimed,
        Agent agent,
        long? concurrency
    )
    {
        if (await FindAsync(tx, claimed) is not var (session, run))
            return null;
        if (run.Phase is Phase.Waiting or Phase.Paused)
        {
            // The turn begins once the run goes on.
            await AgentPlaces.WaitAsync(tx, run);
            // The place that it was woken for is another's.
            await AgentPlaces.FreeAsync(tx, run.Project, run.Agent, ofSession: true);
            return null;
        }
        if (concurrency is { } most && !session.TurnIsOpen && !await HasRoomAsync(tx, run, most))
        {
            await AgentPlaces.WaitAsync(tx, run);
            return null;
        }
        if (run.Phase == Phase.Queued)
            run = await machine.MoveAsync(tx, run, new Change("started", Actor.Server, Phase.Running));
        await RunDue.BeginTurnAsync(tx, run);
        var seconds = agent.Settings.TurnSeconds ?? options.Runs.TurnSeconds;
        var deadline = tx.Now + (seconds * RunDeadlines.Second);
        var answers = session.TurnIsOpen ? session.TurnInSeq : session.InMessageSeq;
        await tx.ExecuteAsync(
            "UPDATE session SET turn_deadline = $3, turn_in_seq = $4, turn_seconds = $5 WHERE project = $1 AND id = $2",
            session.Project,
            session.Id,
            deadline,
            answers,
            seconds
        );
        await raise.TurnBegan.RaiseAsync(tx, new TurnBegan(session, answers));
        return (session with { TurnDeadline = deadline, TurnInSeq = answers }, run);
    }

    /// <summary>
    /// Whether its agent has a place for one more turn, asked under the lock of the agent's row until the transaction
    /// ends.
    /// </summary>
    private static async ValueTask<bool> HasRoomAsync(Tx tx, Run run, long most)
    {
        await AgentStore.LockAsync(tx, run.Project, run.Agent);
        return await SessionStore.OpenTurnsAsync(tx, run.Project, run.Agent) < most;
    }

    /// <summary>
    /// The turn that a claimed run is due for, its rows held. Null: nothing waits for an answer, and the run rests; or
    /// the claim is no longer good.
    /// </summary>
    public async ValueTask<(Session Session, HeldRun Run)?> FindAsync(Tx tx, Run claimed)
    {
        if (
            claimed.Session is null
            || await SessionStore.LockAsync(tx, claimed.Project, claimed.Session) is not { } session
            || session.CurrentRun != claimed.Id
        )
            return null;
        if (
            await HeldRun.LockAsync(tx, claimed.Project, claimed.Id) is not { IsEnded: false } run
            || run.LeaseNo != claimed.LeaseNo
        )
            return null;
        if (!session.HasUnanswered && !run.BootMessage && !session.TurnIsOpen)
        {
            if (run.Phase == Phase.Queued)
                await machine.MoveAsync(tx, run, new Change("started", Actor.Server, Phase.Running));
            await RunDue.ReturnToIdleAsync(tx, run.Project, run.Id);
            await AgentPlaces.FreeAsync(tx, run.Project, run.Agent, ofSession: true);
            return null;
        }
        return (session, run);
    }

    /// <summary>
    /// The open turn of a run gets more time: until an instant, or as long as it had at its beginning.
    /// </summary>
    public static ValueTask<int> ExtendTurnAsync(Tx tx, Run run, long? until) =>
        tx.ExecuteAsync(
            """
            UPDATE session
            SET turn_deadline = COALESCE($4, $5 + turn_seconds * 1000000)
            WHERE project = $1 AND id = $2 AND current_run = $3 AND turn_deadline IS NOT NULL
            """,
            run.Project,
            run.Session,
            run.Id,
            until,
            tx.Now
        );
}
