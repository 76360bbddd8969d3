using Postern.Agents;
using Postern.Runs;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// Begins the turns of a session: what a claimed run must answer, and how much time it has. <see cref="Conversation"/>
/// ends them.
/// </summary>
internal sealed class Turns(RunMachine machine, SessionReactions raise, PosternOptions options)
{
    /// <summary>
    /// Opens the turn for a claimed run, or continues the one that a lost run has opened. Returns null when no message
    /// waits.
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
            // The turn begins when the run goes on.
            await AgentPlaces.WaitAsync(tx, run);
            // Another turn has taken the place for which it was woken.
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
    /// Returns whether the agent has a place for one more turn, under the lock of the agent's row, until the
    /// transaction ends.
    /// </summary>
    private static async ValueTask<bool> HasRoomAsync(Tx tx, Run run, long most)
    {
        await AgentStore.LockAsync(tx, run.Project, run.Agent);
        return await SessionStore.OpenTurnsAsync(tx, run.Project, run.Agent) < most;
    }

    /// <summary>
    /// Returns the turn for a claimed run, with its rows locked. Returns null when no message waits and the run becomes
    /// idle, or when the claim is no longer valid.
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
    /// Gives the open turn of a run more time: until an instant, or as much as it had at its beginning.
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
