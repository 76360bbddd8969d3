using System.Text.Json;
using Postern.Agents;
using Postern.Http;
using Postern.Runs;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// The rules inside a session: appends, turns, one run taking over from another, and the end. Every method runs inside
/// a transaction that has locked the session's row first, and leaves row, records, transcript and run consistent.
/// </summary>
internal sealed partial class Conversation(
    Transcript transcript,
    TurnAssemblers folds,
    RunMachine machine,
    SessionReactions raise,
    PosternOptions options
)
{
    /// <summary>
    /// How long a message may wait for its agent to be registered again, before the client is told that nobody answers.
    /// </summary>
    private static readonly TimeSpan RunWanted = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Starts a run for a session that has none: its first, or a continuation. Returns null when its agent is not
    /// registered.
    /// </summary>
    /// <param name="tx">Holds the session's row.</param>
    /// <param name="session">Has no live run.</param>
    /// <param name="input">What the run is given beside the messages; null for none.</param>
    /// <param name="bootMessage">There is work although no message waits.</param>
    /// <param name="like">What the run is to be like beside that: tags, callback, deadlines.</param>
    /// <param name="by">Who started it.</param>
    public async ValueTask<string?> StartRunAsync(
        Tx tx,
        Session session,
        byte[]? input,
        bool bootMessage,
        Run? like = null,
        Actor? by = null
    )
    {
        var known = AgentStore.FindAhead(tx, session.Project, session.Agent);
        var previous = await RunStore.LastOfAsync(tx, session.Project, session.Id);
        if (await known is not { } agent)
            return null;
        var asked = (like ?? RunStart.For(agent, Id.New(Run.Prefix, tx.Now), options)) with
        {
            BootMessage = bootMessage,
            TriggerKey = null,
        };
        var run = NewRun(tx, session, asked, agent, previous);
        await machine.CreateAsync(tx, run, input, by ?? Actor.Server);
        tx.Queue(
            """
            UPDATE session
            SET current_run = $3, current_attempt = 1, run_wanted_until = NULL, updated_at = $4
            WHERE project = $1 AND id = $2
            """,
            session.Project,
            session.Id,
            run.Id,
            tx.Now
        );
        await raise.RunStarted.RaiseAsync(tx, new SessionRunStarted(session, run.Id));
        tx.Notify(session.Id);
        SessionStore.ListChanged(tx, session.Project);
        return run.Id;
    }

    /// <summary>
    /// Stores the whole answer to a turn at once, for an agent that does not stream. A repeat finds its parts.
    /// </summary>
    public async ValueTask AnswerTurnAsync(Tx tx, Run run, long turn, string? text)
    {
        if (await SessionStore.LockAsync(tx, run.Project, run.Session!) is not { } session)
            return;
        var part = $"{run.Id}:{turn}:answer";
        var records = text is null ? [] : TextRecords(part, text);
        records.Add(NewRecord.OfControl(part + ":end", [Control.Header, Control.TurnComplete]));
        await AppendAsync(tx, NameOf(session), RecordStore.Out, records, new Writer(run.Id, Attempt: run.Attempt));
    }

    /// <summary>
    /// Ends a turn that its agent does not end. The text so far is kept, an error states the reason, and the client
    /// stops waiting. With <paramref name="runStatus"/> the run ends too.
    /// </summary>
    /// <param name="tx">Holds the session's row.</param>
    /// <param name="session">As it is now.</param>
    /// <param name="why">What the error says.</param>
    /// <param name="runStatus">What the run ends as.</param>
    /// <param name="by">Who ends it.</param>
    /// <param name="failure">Why it failed, where it did.</param>
    /// <param name="withoutRecords">The turn's records cannot be put together: the message is the error alone.</param>
    public async ValueTask BreakTurnAsync(
        Tx tx,
        Session session,
        string why,
        string runStatus,
        Actor? by = null,
        Failure? failure = null,
        bool withoutRecords = false
    )
    {
        var name = NameOf(session);
        tx.Notify(session.Id);
        var id = Id.New("rec", tx.Now);
        var error = NewRecord.OfJson(
            JsonSerializer.SerializeToUtf8Bytes(new { type = "error", errorText = why }, Wire.Json),
            id,
            null
        );
        if (session.CurrentRun is { } run)
        {
            SessionStore.DetachRun(tx, session.Project, session.Id);
            await machine.EndAsync(
                tx,
                session.Project,
                run,
                runStatus,
                why,
                by,
                failure ?? (runStatus == Phase.Failed ? new Failure("turn_failed", why) : null),
                tellAgent: runStatus == Phase.Cancelled
            );
        }
        await raise.TurnEnded.RaiseAsync(
            tx,
            new TurnEnded(session, session.InMessageSeq) { Failure = failure?.Code ?? runStatus, Error = why }
        );
        // The error answers all waiting messages: do not redeliver a message that crashed the agent.
        var turn = session with
        {
            CurrentRun = null,
            TurnInSeq = session.InMessageSeq,
        };
        await AppendOutAsync(
            tx,
            turn,
            name,
            [error, NewRecord.OfControl(null, [Control.Header, Control.TurnComplete])],
            withoutRecords
        );
    }

    /// <summary>
    /// Continues a run that waited for a person: the clock of its turn runs again or, between turns, its idle timer.
    /// </summary>
    public async ValueTask ResumeAsync(Tx tx, Run run)
    {
        if (
            await SessionStore.LockAsync(tx, run.Project, run.Session!) is not { } session
            || session.CurrentRun != run.Id
        )
            return;
        if (session.TurnIsOpen)
            await Turns.ExtendTurnAsync(tx, run, null);
        else if (session.HasUnanswered)
            await RunDue.RequeueAsync(tx, run.Project, run.Id);
        else
            await RunDue.ReturnToIdleAsync(tx, run.Project, run.Id);
    }

    /// <summary>Adds a message to the transcript beside the turns.</summary>
    public async ValueTask AppendTranscriptAsync(Tx tx, string project, string id, ChatMessage message, string? run)
    {
        if (await SessionStore.LockAsync(tx, project, id) is not { } session)
            return;
        await transcript.InsertAsync(tx, project, id, session.MessageNext, message, run);
        SessionStore.SetMessageNext(tx, project, id, session.MessageNext + 1);
        tx.Notify(id);
    }

    private async ValueTask<bool> EnsureRunAsync(Tx tx, Session session)
    {
        if (session.CurrentRun is { } live)
        {
            // An open turn takes the messages that came meanwhile when it ends: there is one turn at a time.
            if (session.HasUnanswered && !session.TurnIsOpen)
                await RunDue.MakeDueAsync(tx, session.Project, live);
            return true;
        }
        if (await StartRunAsync(tx, session, null, bootMessage: false) is not null)
            return true;
        tx.Queue(
            "UPDATE session SET run_wanted_until = COALESCE(run_wanted_until, $3) WHERE project = $1 AND id = $2",
            session.Project,
            session.Id,
            tx.Now + (long)RunWanted.TotalMicroseconds
        );
        return false;
    }

    private static long? IdleSecondsOf(Session session)
    {
        if (session.TriggerConfig is null)
            return null;
        using var config = JsonDocument.Parse(session.TriggerConfig, Wire.Kept);
        return
            config.RootElement.TryGetProperty("idleTimeoutInSeconds", out var seconds)
            && seconds.TryGetInt64(out var value)
            ? value
            : null;
    }

    public static SessionRef NameOf(Session s) => new(s.Project, s.Id, s.ExternalId, s.Agent, s.Key);

    private static long Seconds(long seconds) => seconds * 1_000_000;
}
