using System.Text.Json;
using Postern.Http;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Sessions;

/// <content>The ways in which a conversation, or the run that it has, ends.</content>
internal sealed partial class Conversation
{
    /// <summary>
    /// Updates a session after a change of its run: it takes over the run's attempt. When the run has ended, an open
    /// turn is completed or broken off, and waiting messages get a new run.
    /// </summary>
    /// <param name="tx">Holds the rows of the session and the run.</param>
    /// <param name="change">Of any run.</param>
    public async ValueTask RunMovedAsync(Tx tx, RunMoved change)
    {
        if (change.After.Session is null)
            return;
        if (change.BeginsAttempt)
            await SessionStore.SetAttemptAsync(tx, change.After);
        if (change.Ends)
            await ReleaseRunAsync(tx, change.After);
    }

    private async ValueTask ReleaseRunAsync(Tx tx, Run run)
    {
        if (
            await SessionStore.LockAsync(tx, run.Project, run.Session!) is not { } session
            || session.CurrentRun != run.Id
        )
            return;
        SessionStore.DetachRun(tx, session.Project, session.Id);
        tx.Notify(session.Id);
        session = session with { CurrentRun = null };
        if (!session.TurnIsOpen && !session.HasUnanswered)
            return;
        if (run.Phase != Phase.Succeeded)
        {
            await BreakTurnAsync(
                tx,
                session,
                run.Reason ?? $"The run {run.Phase}.",
                run.Phase,
                failure: run.FailureCode is null
                    ? null
                    : new Failure(run.FailureCode, run.FailureMessage, run.FailedStage)
            );
            return;
        }
        await AppendOutAsync(
            tx,
            session,
            NameOf(session),
            [NewRecord.OfControl(null, [Control.Header, Control.TurnComplete])]
        );
        if (await SessionStore.LockAsync(tx, session.Project, session.Id) is { HasUnanswered: true } more)
            await StartRunAsync(tx, more, null, bootMessage: false);
    }

    /// <summary>
    /// Closes a session for good. Returns false when it was closed already. Its run ends, and the agent is told.
    /// </summary>
    public ValueTask<bool> CloseAsync(Tx tx, Session session, string? reason, string? callingRun = null) =>
        session.IsClosed ? new(false) : FinishAsync(tx, session, SessionEnd.Closed, reason, callingRun);

    /// <summary>Ends an expired session, once, in the same way as a close.</summary>
    /// <param name="tx">Holds the session's row.</param>
    /// <param name="session">As it is now.</param>
    /// <param name="withoutRecords">The open turn's records cannot be put together: it leaves no message.</param>
    public ValueTask<bool> ExpireAsync(Tx tx, Session session, bool withoutRecords = false) =>
        FinishAsync(tx, session, SessionEnd.Expired, "expired", null, withoutRecords);

    private async ValueTask<bool> FinishAsync(
        Tx tx,
        Session session,
        SessionEnd end,
        string? reason,
        string? callingRun,
        bool withoutRecords = false
    )
    {
        var name = NameOf(session);
        tx.Notify(session.Id);
        var messages = session.MessageNext;
        var hasTurn = !withoutRecords && session.OutNext > session.TurnOutSeq;
        if (hasTurn && await folds.MessageAsync(tx, session, session.OutNext, []) is { } message)
            await transcript.InsertAsync(tx, session.Project, session.Id, messages++, message, session.CurrentRun);
        var told = NewRecord.OfJson(
            JsonSerializer.SerializeToUtf8Bytes(new { kind = "close", reason }, Wire.Json),
            Id.New("rec", tx.Now),
            null
        );
        RecordStore.Insert(tx, name, RecordStore.In, session.InNext, told);
        List<string[]> headers =
        [
            [Control.Header, Control.SessionClosed],
        ];
        if (reason is not null)
            headers.Add([Control.ClosedReason, reason]);
        RecordStore.Insert(tx, name, RecordStore.Out, session.OutNext, NewRecord.OfControl(null, [.. headers]));
        if (session.CurrentRun is { } run)
        {
            SessionStore.DetachRun(tx, session.Project, session.Id);
            await machine.EndAsync(
                tx,
                session.Project,
                run,
                run == callingRun ? Phase.Succeeded : Phase.Cancelled,
                RunMachine.SessionClosed,
                tellAgent: run != callingRun
            );
        }
        await raise.SessionEnded.RaiseAsync(tx, new SessionEnded(session, end, reason));
        tx.Queue(
            $"""
            UPDATE session
            SET {(
                end == SessionEnd.Closed ? "closed_at = $6" : "expiry_told = 1"
            )}, closed_reason = $7, in_next = $3, out_next = $4, message_next = $5, updated_at = $6,
              current_run = NULL, turn_deadline = NULL, turn_out_seq = $4, run_wanted_until = NULL
            WHERE project = $1 AND id = $2
            """,
            session.Project,
            session.Id,
            session.InNext + 1,
            session.OutNext + 1,
            messages,
            tx.Now,
            reason
        );
        SessionStore.ListChanged(tx, session.Project);
        await AgentPlaces.FreeAsync(tx, session.Project, session.Agent, ofSession: true);
        return true;
    }
}
