using System.Text.Json;
using Postern.Agents;
using Postern.Http;
using Postern.Runs;
using Postern.Settings;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Sessions;

/// <summary>
/// What happens inside a session: appends, turns, runs taking over from one another, and the end. Every method runs inside a
/// transaction that locks the session's row first, and leaves row, records, transcript and run agreeing with one another.
/// </summary>
internal sealed class Conversation(
    Transcript transcript, TurnFolds folds, RunMachine machine, SessionEvents events, PosternOptions options)
{
    /// <summary>How long a message may wait for its agent to be registered again before the client is told that nobody answers.</summary>
    private static readonly TimeSpan RunWanted = TimeSpan.FromMinutes(5);

    /// <summary>Appends records to a channel: all of them or none, and none that is there already.</summary>
    public async ValueTask<AppendOutcome> AppendAsync(Tx tx, SessionName name, string channel, IReadOnlyList<NewRecord> records, Writer writer)
    {
        if (await SessionStore.LockAsync(tx, name.Project, name.Id) is not { } session) return new AppendOutcome.Gone();

        // A repeat gets the first outcome, whatever the session has become since.
        var fresh = new List<NewRecord>(records.Count);
        long? first = null;
        var last = -1L;
        var known = await RecordStore.FindPartsAsync(tx, name, channel, records);
        foreach (var record in records)
        {
            if (record.PartId is null || !known.TryGetValue(record.PartId, out var there)) fresh.Add(record);
            else if (!record.IsRepeatOf(there)) return new AppendOutcome.PartMismatch(record.PartId);
            else (first, last) = (first ?? there.Seq, Math.Max(last, there.Seq));
        }
        if (fresh.Count == 0) return new AppendOutcome.Appended(first!.Value, last + 1, session.CurrentRun is not null, session.StopIsAsked);

        if (session.IsClosed) return new AppendOutcome.Closed(session.ClosedReason);
        if (session.IsExpired(tx.Now)) return new AppendOutcome.Expired();
        if (IsFull(session) && fresh.Exists(r => r.Body.Length > 0 && r.In?.Kind is not (InKind.Stop or InKind.Close)))
            return new AppendOutcome.QuotaReached();
        if (writer.Run is not null && (writer.Run != session.CurrentRun || writer.Attempt != session.CurrentAttempt)) return new AppendOutcome.NotTheRun();

        if (channel == RecordStore.Out && session.CurrentRun is not null && fresh.Exists(r => r.ControlValue == Control.TurnComplete) && await RunStore.AwaitsApprovalAsync(tx, session.Project, session.CurrentRun)) return new AppendOutcome.AwaitsApproval();

        tx.Touch(session.Id);
        var (start, end, ensured) = channel switch
        {
            RecordStore.In => await AppendInAsync(tx, session, name, fresh, writer),
            RecordStore.Out => await AppendOutAsync(tx, session, name, fresh),
            _ => await AppendSideAsync(tx, name, channel, fresh),
        };
        return new AppendOutcome.Appended(Math.Min(first ?? start, start), Math.Max(last + 1, end), ensured, session.StopIsAsked);
    }

    /// <summary>The hot path of agents that stream; null when the rules of <see cref="AppendAsync"/> are needed after all, and nothing was written.</summary>
    public async Task<long?> TryAppendPlainAsync(Database database, SessionName name, NewRecord record, Writer writer)
    {
        try
        {
            return await database.WriteOneAsync(
                tx => RecordStore.AppendPlainAsync(tx, name, record, writer, MostBytes));
        }
        catch (Npgsql.PostgresException fault) when (fault.SqlState == Npgsql.PostgresErrorCodes.UniqueViolation)
        {
            // The same part was being appended in this moment.
            return null;
        }
    }

    /// <summary>It holds as many bytes as it may: it takes no more but what ends something.</summary>
    public bool IsFull(Session session) => session.Bytes >= MostBytes;

    private long MostBytes => options.Quotas.SessionBytes is > 0 and var most ? most : long.MaxValue;

    /// <summary>Starts a run for a session that has none: its first, or a continuation. Null when its agent is not registered.</summary>
    /// <param name="tx">Holds the session's row.</param>
    /// <param name="session">Has no live run.</param>
    /// <param name="input">What the run is given beside the messages; null for none.</param>
    /// <param name="bootMessage">There is work although no message waits.</param>
    /// <param name="like">What the run is to be like beside that: tags, callback, deadlines.</param>
    /// <param name="by">Who started it.</param>
    public async ValueTask<string?> StartRunAsync(Tx tx, Session session, byte[]? input, bool bootMessage, Run? like = null, Doer? by = null)
    {
        if (await AgentStore.FindAsync(tx, session.Project, session.Agent) is not { } agent) return null;
        var previous = await RunStore.LastOfAsync(tx, session.Project, session.Id);
        // A worker that claims needs no dispatcher between: what waits for it is offered with the run.
        var offered = agent.Kind == Agent.Pull && (bootMessage || session.HasUnanswered);
        var run = (like ?? RunStart.For(agent, Id.New(Run.Prefix, tx.Now), options)) with
        {
            Session = session.Id,
            BootMessage = bootMessage,
            Continuation = previous is not null,
            PreviousRun = previous,
            DueAt = offered ? null : tx.Now,
            ClaimAt = offered ? tx.Now : null,
            IdleSeconds = IdleSecondsOf(session) ?? agent.Settings.IdleSeconds ?? options.Runs.IdleSeconds,
        };
        await machine.CreateAsync(tx, run, input, by ?? Doer.Server);
        await tx.ExecuteAsync("UPDATE session SET current_run = $3, current_attempt = 1, run_wanted_until = NULL, updated_at = $4 WHERE project = $1 AND id = $2", session.Project, session.Id, run.Id, tx.Now);
        if (session.IsOfTrigger) await CaptureStore.FollowAsync(tx, session.Project, session.Id, run.Id);
        tx.Touch(session.Id);
        return run.Id;
    }

    /// <summary>A text of the agent, where it has streamed none.</summary>
    public ValueTask<(long Start, long End, bool Ensured)> SpeakAsync(Tx tx, Session session, string part, string text) => AppendOutAsync(tx, session, NameOf(session), TextRecords(part, text));

    private static List<NewRecord> TextRecords(string part, string text)
    {
        object[] chunks = [new { type = "start", messageId = "msg_" + part.Replace(':', '_') }, new { type = "text-start", id = "0" }, new { type = "text-delta", id = "0", delta = text }, new { type = "text-end", id = "0" }, new { type = "finish" }];
        return [.. chunks.Select((c, i) => NewRecord.OfJson(JsonSerializer.SerializeToUtf8Bytes(c, Wire.Json), $"{part}:{i}", $"{part}:{i}"))];
    }

    /// <summary>The whole answer to a turn at once, from an agent that does not stream. A repeat finds its parts there.</summary>
    public async ValueTask AnswerTurnAsync(Tx tx, Run run, long turn, string? text)
    {
        if (await SessionStore.LockAsync(tx, run.Project, run.Session!) is not { } session) return;
        var part = $"{run.Id}:{turn}:answer";
        var records = text is null ? [] : TextRecords(part, text);
        records.Add(NewRecord.OfControl(part + ":end", [Control.Header, Control.TurnComplete]));
        await AppendAsync(tx, NameOf(session), RecordStore.Out, records, new Writer(run.Id, Attempt: run.Attempt));
    }

    /// <summary>
    /// Ends a turn that its agent will not end: what text there was is kept, an error says why, and the client's wait is over.
    /// With <paramref name="runStatus"/> the run ends too.
    /// </summary>
    /// <param name="tx">Holds the session's row.</param>
    /// <param name="session">As it is now.</param>
    /// <param name="why">What the error says.</param>
    /// <param name="runStatus">What the run ends as.</param>
    /// <param name="by">Who ends it.</param>
    /// <param name="failure">Why it failed, where it did.</param>
    /// <param name="withoutRecords">The turn's records cannot be put together: the message is the error alone.</param>
    public async ValueTask BreakTurnAsync(
        Tx tx, Session session, string why, string runStatus, Doer? by = null, Failure? failure = null,
        bool withoutRecords = false)
    {
        var name = NameOf(session);
        tx.Touch(session.Id);
        var id = Id.New("rec", tx.Now);
        var error = NewRecord.OfJson(JsonSerializer.SerializeToUtf8Bytes(new { type = "error", errorText = why }, Wire.Json), id, null);
        if (session.CurrentRun is { } run)
        {
            await machine.EndAsync(tx, session.Project, run, runStatus, why, by, failure ?? (runStatus == Phase.Failed ? new Failure("turn_failed", why) : null), tellAgent: runStatus == Phase.Cancelled);
            await tx.ExecuteAsync("UPDATE session SET current_run = NULL WHERE project = $1 AND id = $2", session.Project, session.Id);
        }
        if (session.IsOfTrigger) await CaptureStore.SettleAsync(tx, session.Project, session.Id, session.InMessageSeq, Capture.Failed, failure?.Code ?? runStatus, why);
        // All that waited is answered by the error: a message that broke the agent once is not handed to it for ever.
        var turn = session with { CurrentRun = null, TurnInSeq = session.InMessageSeq };
        await AppendOutAsync(
            tx, turn, name, [error, NewRecord.OfControl(null, [Control.Header, Control.TurnComplete])], withoutRecords);
    }

    /// <summary>A run that has waited for a person goes on: the clock of its turn runs again or, between turns, its idle window.</summary>
    public async ValueTask GoOnAsync(Tx tx, Run run)
    {
        if (await SessionStore.LockAsync(tx, run.Project, run.Session!) is not { } session || session.CurrentRun != run.Id) return;
        if (session.TurnIsOpen) await Turns.HoldAsync(tx, run, null);
        else if (session.HasUnanswered) await RunStore.AgainAsync(tx, run.Project, run.Id);
        else await RunStore.RestAsync(tx, run.Project, run.Id);
    }

    /// <summary>A message of the transcript beside the turns.</summary>
    public async ValueTask NoteAsync(Tx tx, string project, string id, ChatMessage message, string? run)
    {
        if (await SessionStore.LockAsync(tx, project, id) is not { } session) return;
        await transcript.InsertAsync(tx, project, id, session.MessageNext, message, run);
        await tx.ExecuteAsync("UPDATE session SET message_next = $3, updated_at = $4 WHERE project = $1 AND id = $2", project, id, session.MessageNext + 1, tx.Now);
        tx.Touch(id);
    }

    /// <summary>Ends a live run of any kind from outside: its turn is broken off, its session goes on without it. Null: it had ended.</summary>
    public async ValueTask<Run?> EndRunAsync(Tx tx, Run run, string phase, string? why, Doer? by = null, Failure? failure = null, bool tellAgent = false)
    {
        if (await machine.EndAsync(tx, run.Project, run.Id, phase, why, by, failure, tellAgent) is not { } ended) return null;
        if (ended.Session is not null) await ReleaseRunAsync(tx, ended);
        return ended;
    }

    /// <summary>What follows for a session when its run has ended: an open turn is completed or broken off, and what still waits gets a run of its own.</summary>
    /// <param name="tx">Holds the rows of the session and the run.</param>
    /// <param name="run">Has ended.</param>
    public async ValueTask ReleaseRunAsync(Tx tx, Run run)
    {
        if (await SessionStore.LockAsync(tx, run.Project, run.Session!) is not { } session || session.CurrentRun != run.Id) return;
        await tx.ExecuteAsync("UPDATE session SET current_run = NULL WHERE project = $1 AND id = $2", session.Project, session.Id);
        tx.Touch(session.Id);
        session = session with { CurrentRun = null };
        if (!session.TurnIsOpen && !session.HasUnanswered) return;
        if (run.Phase != Phase.Succeeded)
        {
            await BreakTurnAsync(tx, session, run.Reason ?? $"The run {run.Phase}.", run.Phase, failure: run.FailureCode is null ? null : new Failure(run.FailureCode, run.FailureMessage, run.FailedStage));
            return;
        }
        await AppendOutAsync(tx, session, NameOf(session), [NewRecord.OfControl(null, [Control.Header, Control.TurnComplete])]);
        if (await SessionStore.LockAsync(tx, session.Project, session.Id) is { HasUnanswered: true } more) await StartRunAsync(tx, more, null, bootMessage: false);
    }

    /// <summary>Closes a session for good; false when it was closed already. Its run ends, and the agent is told.</summary>
    public ValueTask<bool> CloseAsync(Tx tx, Session session, string? reason, string? callingRun = null) =>
        session.IsClosed ? new(false) : FinishAsync(tx, session, "closed_at = $6, closed_reason = $7", reason, callingRun);

    /// <summary>What follows from a session's expiry: the same end as a close, once.</summary>
    /// <param name="tx">Holds the session's row.</param>
    /// <param name="session">As it is now.</param>
    /// <param name="withoutRecords">The open turn's records cannot be put together: it leaves no message.</param>
    public ValueTask<bool> ExpireAsync(Tx tx, Session session, bool withoutRecords = false) =>
        FinishAsync(tx, session, "expiry_told = 1, closed_reason = $7", "expired", null, withoutRecords);

    private async ValueTask<(long Start, long End, bool Ensured)> AppendInAsync(Tx tx, Session session, SessionName name, List<NewRecord> records, Writer writer)
    {
        var seq = session.InNext;
        await RecordStore.InsertAllAsync(tx, name, RecordStore.In, seq, records);
        var (message, stop, messages, close, wantsRun) = (session.InMessageSeq, session.StopSeq, session.MessageNext, false, false);
        foreach (var record in records)
        {
            switch (record.In?.Kind)
            {
                case InKind.Stop:
                    stop = seq;
                    break;
                case InKind.Close:
                    close = true;
                    break;
                case InKind.Message:
                    message = seq;
                    wantsRun = true;
                    if (record.In.Message is { } said && await transcript.TakeAsync(tx, session, messages, said))
                        messages++;
                    break;
                default:
                    wantsRun = true;
                    break;
            }
            seq++;
        }
        await tx.ExecuteAsync(
            """
            UPDATE session SET in_next = $3, in_message_seq = $4, stop_seq = $5, message_next = $6, updated_at = $7,
              bytes = bytes + $8 WHERE project = $1 AND id = $2
            """,
            session.Project, session.Id, seq, message, stop, messages, tx.Now, records.Sum(r => r.Size));
        var now = session with { InNext = seq, InMessageSeq = message, StopSeq = stop, MessageNext = messages };
        if (writer.Person is not null) await RecordStore.StandAsync(tx, name, writer.Person, session.OutNext);
        if (close)
        {
            await CloseAsync(tx, now, "closed by the client");
            return (session.InNext, seq, false);
        }
        return (session.InNext, seq, !wantsRun || await EnsureRunAsync(tx, now));
    }

    private async ValueTask<bool> EnsureRunAsync(Tx tx, Session session)
    {
        if (session.CurrentRun is { } live)
        {
            // A turn that is open takes what came meanwhile when it has ended: one turn at a time.
            if (session.HasUnanswered && !session.TurnIsOpen) await RunStore.MakeDueAsync(tx, session.Project, live);
            return true;
        }
        if (await StartRunAsync(tx, session, null, bootMessage: false) is not null) return true;
        await tx.ExecuteAsync(
            "UPDATE session SET run_wanted_until = COALESCE(run_wanted_until, $3) WHERE project = $1 AND id = $2",
            session.Project, session.Id, tx.Now + (long)RunWanted.TotalMicroseconds);
        return false;
    }

    private async ValueTask<(long Start, long End, bool Ensured)> AppendOutAsync(
        Tx tx, Session session, SessionName name, List<NewRecord> records, bool withoutRecords = false)
    {
        var now = session;
        var own = new List<NewRecord>();
        foreach (var record in records)
        {
            if (record.ControlValue == Control.TurnComplete)
            {
                await RecordStore.InsertAllAsync(tx, name, RecordStore.Out, now.OutNext - own.Count, own);
                var message = withoutRecords
                    ? folds.MessageWithoutRecords(own)
                    : await folds.MessageAsync(tx, now, session.OutNext, own);
                now = await CompleteTurnAsync(tx, now, name, record, message);
                own.Clear();
            }
            else
            {
                own.Add(record);
                now = now with { OutNext = now.OutNext + 1, OutSettled = record.Headers is not null && now.OutSettled };
            }
        }
        await RecordStore.InsertAllAsync(tx, name, RecordStore.Out, now.OutNext - own.Count, own);
        // An agent that streams is alive: its turn's deadline moves on, written once in half of its time.
        var half = Seconds(now.TurnSeconds) / 2;
        if (now.TurnDeadline - tx.Now <= half)
        {
            await tx.ExecuteAsync("UPDATE session SET turn_deadline = $3 WHERE project = $1 AND id = $2", now.Project, now.Id, tx.Now + (half * 2));
        }
        await tx.ExecuteAsync(
            "UPDATE session SET out_next = $3, out_settled = $4, bytes = bytes + $5 WHERE project = $1 AND id = $2",
            now.Project, now.Id, now.OutNext, now.OutSettled ? 1L : 0L, records.Sum(r => r.Size));
        return (session.OutNext, now.OutNext, session.CurrentRun is not null);
    }

    /// <summary>The turn's records become one message of the transcript, in the transaction that stores the control record; then the run rests or takes what waits.</summary>
    private async ValueTask<Session> CompleteTurnAsync(
        Tx tx, Session session, SessionName name, NewRecord record, FoldedMessage? message)
    {
        var messages = session.MessageNext;
        if (message is not null)
            await transcript.InsertAsync(tx, session.Project, session.Id, messages++, message, session.CurrentRun);
        var answered = AnsweredBy(session, record);
        var headers = new List<string[]>(record.Headers!.Where(h => !Control.IsOfServer(h[0])));
        if (answered >= 0) headers.Add([Control.InEventId, answered.ToString()]);
        await RecordStore.InsertAsync(tx, name, RecordStore.Out, session.OutNext, record with { Headers = headers });
        var now = session with { OutNext = session.OutNext + 1, OutSettled = true, MessageNext = messages, InAnsweredSeq = answered, TurnDeadline = null, TurnOutSeq = session.OutNext + 1 };
        await tx.ExecuteAsync(
            "UPDATE session SET message_next = $3, in_answered_seq = $4, turn_deadline = NULL, turn_out_seq = $5, updated_at = $6 WHERE project = $1 AND id = $2",
            now.Project, now.Id, now.MessageNext, now.InAnsweredSeq, now.TurnOutSeq, tx.Now);
        await AgentPlaces.FreeAsync(tx, now.Project, now.Agent, ofSession: true);
        if (now.CurrentRun is { } run)
        {
            if (now.HasUnanswered) await RunStore.AgainAsync(tx, now.Project, run);
            else await RunStore.RestAsync(tx, now.Project, run);
        }
        if (session.IsOfTrigger) await CaptureStore.SettleAsync(tx, now.Project, now.Id, answered, Capture.Success, null, null);
        return now;
    }

    /// <summary>What the agent says it has answered, within what there is; else what the turn was opened for.</summary>
    private static long AnsweredBy(Session session, NewRecord record)
    {
        var said = record.Headers!.FirstOrDefault(h => h[0] == Control.InEventId)?[1];
        if (long.TryParse(said, out var seq) && seq >= session.InAnsweredSeq && seq < session.InNext) return seq;
        return Math.Max(session.InAnsweredSeq, session.TurnIsOpen ? session.TurnInSeq : session.InMessageSeq);
    }

    private static async ValueTask<(long Start, long End, bool Ensured)> AppendSideAsync(Tx tx, SessionName name, string channel, List<NewRecord> records)
    {
        var start = await RecordStore.NextOfSideAsync(tx, name, channel);
        await RecordStore.InsertAllAsync(tx, name, channel, start, records);
        await tx.ExecuteAsync(
            "UPDATE session SET bytes = bytes + $3 WHERE project = $1 AND id = $2", name.Project, name.Id,
            records.Sum(r => r.Size));
        return (start, start + records.Count, true);
    }

    private async ValueTask<bool> FinishAsync(
        Tx tx, Session session, string set, string? reason, string? callingRun, bool withoutRecords = false)
    {
        var name = NameOf(session);
        tx.Touch(session.Id);
        var messages = session.MessageNext;
        var hasTurn = !withoutRecords && session.OutNext > session.TurnOutSeq;
        if (hasTurn && await folds.MessageAsync(tx, session, session.OutNext, []) is { } message)
            await transcript.InsertAsync(tx, session.Project, session.Id, messages++, message, session.CurrentRun);
        var told = NewRecord.OfJson(JsonSerializer.SerializeToUtf8Bytes(new { kind = "close", reason }, Wire.Json), Id.New("rec", tx.Now), null);
        await RecordStore.InsertAsync(tx, name, RecordStore.In, session.InNext, told);
        List<string[]> headers = [[Control.Header, Control.SessionClosed]];
        if (reason is not null) headers.Add([Control.ClosedReason, reason]);
        await RecordStore.InsertAsync(tx, name, RecordStore.Out, session.OutNext, NewRecord.OfControl(null, [.. headers]));
        if (session.CurrentRun is { } run)
            await machine.EndAsync(tx, session.Project, run, run == callingRun ? Phase.Succeeded : Phase.Cancelled, RunMachine.SessionClosed, tellAgent: run != callingRun);
        if (session.IsOfTrigger) await CaptureStore.SettleAsync(tx, session.Project, session.Id, long.MaxValue, Capture.Failed, Phase.Cancelled, "The session was closed.");
        await events.EndedAsync(tx, session, set.StartsWith("closed_at", StringComparison.Ordinal) ? "session.closed" : "session.expired", reason);
        await tx.ExecuteAsync(
            $"""
            UPDATE session SET {set}, in_next = $3, out_next = $4, message_next = $5, updated_at = $6,
              current_run = NULL, turn_deadline = NULL, turn_out_seq = $4, run_wanted_until = NULL WHERE project = $1 AND id = $2
            """, session.Project, session.Id, session.InNext + 1, session.OutNext + 1, messages, tx.Now, reason);
        await AgentPlaces.FreeAsync(tx, session.Project, session.Agent, ofSession: true);
        return true;
    }

    private static long? IdleSecondsOf(Session session)
    {
        if (session.TriggerConfig is null) return null;
        using var config = JsonDocument.Parse(session.TriggerConfig, Wire.Kept);
        return config.RootElement.TryGetProperty("idleTimeoutInSeconds", out var seconds) && seconds.TryGetInt64(out var value) ? value : null;
    }

    public static SessionName NameOf(Session s) => new(s.Project, s.Id, s.ExternalId, s.Agent, s.Key);

    private static long Seconds(long seconds) => seconds * 1_000_000;
}
