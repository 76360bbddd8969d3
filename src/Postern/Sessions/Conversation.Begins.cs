using Postern.Agents;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Sessions;

/// <content>A session that begins with a message that the server writes.</content>
internal sealed partial class Conversation
{
    /// <summary>
    /// Makes a session, its first message and the run that answers it. Each row is written once, in its final state,
    /// and nothing is read: nobody can know of the session before the commit.
    /// </summary>
    /// <param name="tx">Holds no session.</param>
    /// <param name="made">A new one of <paramref name="agent"/>.</param>
    /// <param name="isOwnName">
    /// Whether nobody else can have chosen its name: a session that has it all the same is a fault.
    /// </param>
    /// <param name="message">Asks the agent for an answer.</param>
    /// <param name="agent">As it is in this transaction.</param>
    /// <param name="asked">What the run is to be like beside what the agent says.</param>
    /// <returns>The session with its run; null when another has its name, and then nothing was written.</returns>
    public async ValueTask<Session?> BeginAsync(
        Tx tx,
        Session made,
        bool isOwnName,
        NewRecord message,
        Agent agent,
        Func<Run, Run> asked
    )
    {
        var said = message.In?.Message;
        var session = made with
        {
            InNext = 1,
            InMessageSeq = 0,
            MessageNext = said is null ? made.MessageNext : made.MessageNext + 1,
            Bytes = message.Size,
        };
        var run = NewRun(tx, session, asked(RunStart.For(agent, Id.New(Run.Prefix, tx.Now), options)), agent, null);
        session = session with { CurrentRun = run.Id };
        if (isOwnName)
            SessionStore.InsertOwn(tx, session);
        else if (!await SessionStore.InsertAsync(tx, session))
            return null;
        await raise.Created.RaiseAsync(tx, new SessionCreated(session));
        tx.Notify(session.Id);
        RecordStore.Insert(tx, NameOf(session), RecordStore.In, 0, message);
        if (said is not null)
            await transcript.InsertAsync(tx, session.Project, session.Id, made.MessageNext, said, null);
        await machine.CreateAsync(tx, run, null, Actor.Server);
        return session;
    }

    /// <summary>Returns the row of a session's run.</summary>
    private Run NewRun(Tx tx, Session session, Run asked, Agent agent, string? previous)
    {
        // A worker that claims needs no dispatcher, so the run is made claimable at once.
        var offered = agent.Kind == Agent.Pull && (asked.BootMessage || session.HasUnanswered);
        return asked with
        {
            Session = session.Id,
            Continuation = previous is not null,
            PreviousRun = previous,
            TriggerKey = asked.TriggerKey ?? session.TriggerName,
            DueAt = offered ? null : tx.Now,
            ClaimAt = offered ? tx.Now : null,
            IdleSeconds = IdleSecondsOf(session) ?? agent.Settings.IdleSeconds ?? options.Runs.IdleSeconds,
        };
    }
}
