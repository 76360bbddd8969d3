using System.Text.Json;
using Postern.Http;
using Postern.Runs;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Sessions;

/// <content>Appends: to the inbox, the outbox and the side channels, and what follows from a record.</content>
internal sealed partial class Conversation
{
    /// <summary>
    /// Appends records to a channel: all of them or none. A record that is already there is not added again.
    /// </summary>
    public async ValueTask<AppendOutcome> AppendAsync(
        Tx tx,
        SessionRef name,
        string channel,
        IReadOnlyList<NewRecord> records,
        Writer writer
    )
    {
        if (await SessionStore.LockAsync(tx, name.Project, name.Id) is not { } session)
            return new AppendOutcome.Gone();

        // A repeat gets the first outcome, even when the session has ended since.
        var known = await RecordStore.FindPartsAsync(tx, name, channel, records);
        if (records.FirstOrDefault(r => KnownAs(r, known) is { } there && !r.IsRepeatOf(there)) is { } other)
            return new AppendOutcome.PartMismatch(other.PartId!);
        var fresh = records.Where(r => KnownAs(r, known) is null).ToList();
        var repeats = records.Select(r => KnownAs(r, known)).OfType<Record>().ToList();
        var first = repeats.Count > 0 ? repeats[0].Seq : (long?)null;
        var last = repeats.Select(r => r.Seq).DefaultIfEmpty(-1).Max();
        if (fresh.Count == 0)
            return new AppendOutcome.Appended(
                first!.Value,
                last + 1,
                session.CurrentRun is not null,
                session.StopIsAsked
            );
        if (await WhyNotAsync(tx, session, channel, fresh, writer) is { } refused)
            return refused;

        tx.Notify(session.Id);
        var (start, end, ensured) = channel switch
        {
            RecordStore.In => await AppendInAsync(tx, session, name, fresh, writer),
            RecordStore.Out => await AppendOutAsync(tx, session, name, fresh),
            _ => await AppendSideAsync(tx, name, channel, fresh),
        };
        return new AppendOutcome.Appended(
            Math.Min(first ?? start, start),
            Math.Max(last + 1, end),
            ensured,
            session.StopIsAsked
        );
    }

    /// <summary>Returns the existing record with a record's part id, or null when the record is new.</summary>
    private static Record? KnownAs(NewRecord record, Dictionary<string, Record> known) =>
        record.PartId is { } part ? known.GetValueOrDefault(part) : null;

    /// <summary>
    /// Returns whether a full session refuses a record. A record that ends something is always accepted.
    /// </summary>
    private static bool Fills(NewRecord record) =>
        record.Body.Length > 0 && record.In?.Kind is not (InKind.Stop or InKind.Close);

    /// <summary>Returns why new records are refused, or null when they are accepted.</summary>
    private async ValueTask<AppendOutcome?> WhyNotAsync(
        Tx tx,
        Session session,
        string channel,
        List<NewRecord> fresh,
        Writer writer
    )
    {
        if (session.IsClosed)
            return new AppendOutcome.Closed(session.ClosedReason);
        if (session.IsExpired(tx.Now))
            return new AppendOutcome.Expired();
        if (IsFull(session) && fresh.Exists(Fills))
            return new AppendOutcome.QuotaReached();
        if (writer.Run is not null && (writer.Run, writer.Attempt) != (session.CurrentRun, session.CurrentAttempt))
            return new AppendOutcome.NotTheRun();
        var ends = channel == RecordStore.Out && fresh.Exists(r => r.ControlValue == Control.TurnComplete);
        return ends && session.CurrentRun is { } run && await RunDue.AwaitsApprovalAsync(tx, session.Project, run)
            ? new AppendOutcome.AwaitsApproval()
            : null;
    }

    /// <summary>The session is full: it accepts only records that end something.</summary>
    public bool IsFull(Session session) => session.Bytes >= MostBytesOf(options);

    /// <summary>The most bytes of records in one session.</summary>
    public static long MostBytesOf(PosternOptions options) =>
        options.Quotas.SessionBytes is > 0 and var most ? most : long.MaxValue;

    /// <summary>The answer of an agent that has streamed no text.</summary>
    public ValueTask<(long Start, long End, bool Ensured)> SpeakAsync(
        Tx tx,
        Session session,
        string part,
        string text
    ) => AppendOutAsync(tx, session, NameOf(session), TextRecords(part, text));

    private static List<NewRecord> TextRecords(string part, string text)
    {
        object[] chunks =
        [
            new { type = "start", messageId = "msg_" + part.Replace(':', '_') },
            new { type = "text-start", id = "0" },
            new
            {
                type = "text-delta",
                id = "0",
                delta = text,
            },
            new { type = "text-end", id = "0" },
            new { type = "finish" },
        ];
        return
        [
            .. chunks.Select(
                (c, i) =>
                    NewRecord.OfJson(JsonSerializer.SerializeToUtf8Bytes(c, Wire.Json), $"{part}:{i}", $"{part}:{i}")
            ),
        ];
    }

    private async ValueTask<(long Start, long End, bool Ensured)> AppendInAsync(
        Tx tx,
        Session session,
        SessionRef name,
        List<NewRecord> records,
        Writer writer
    )
    {
        var seq = session.InNext;
        RecordStore.InsertAll(tx, name, RecordStore.In, seq, records);
        var (message, stop, messages, close, wantsRun) = (
            session.InMessageSeq,
            session.StopSeq,
            session.MessageNext,
            false,
            false
        );
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
        tx.Queue(
            """
            UPDATE session SET in_next = $3, in_message_seq = $4, stop_seq = $5, message_next = $6, updated_at = $7,
              bytes = bytes + $8 WHERE project = $1 AND id = $2
            """,
            session.Project,
            session.Id,
            seq,
            message,
            stop,
            messages,
            tx.Now,
            records.Sum(r => r.Size)
        );
        SessionStore.ListChanged(tx, session.Project);
        var now = session with { InNext = seq, InMessageSeq = message, StopSeq = stop, MessageNext = messages };
        if (writer.Person is not null)
            RecordStore.SaveReadPosition(tx, name, writer.Person, session.OutNext);
        if (close)
        {
            await CloseAsync(tx, now, "closed by the client");
            return (session.InNext, seq, false);
        }
        return (session.InNext, seq, !wantsRun || await EnsureRunAsync(tx, now));
    }

    private async ValueTask<(long Start, long End, bool Ensured)> AppendOutAsync(
        Tx tx,
        Session session,
        SessionRef name,
        List<NewRecord> records,
        bool withoutRecords = false
    )
    {
        var now = session;
        var own = new List<NewRecord>();
        foreach (var record in records)
        {
            if (record.ControlValue == Control.TurnComplete)
            {
                RecordStore.InsertAll(tx, name, RecordStore.Out, now.OutNext - own.Count, own);
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
        RecordStore.InsertAll(tx, name, RecordStore.Out, now.OutNext - own.Count, own);
        // An agent that streams is alive, so its turn's deadline moves. To save writes, it is written once in half of
        // its time.
        var half = Seconds(now.TurnSeconds) / 2;
        if (now.TurnDeadline - tx.Now <= half)
        {
            tx.Queue(
                "UPDATE session SET turn_deadline = $3 WHERE project = $1 AND id = $2",
                now.Project,
                now.Id,
                tx.Now + (half * 2)
            );
        }
        tx.Queue(
            "UPDATE session SET out_next = $3, out_settled = $4, bytes = bytes + $5 WHERE project = $1 AND id = $2",
            now.Project,
            now.Id,
            now.OutNext,
            now.OutSettled ? 1L : 0L,
            records.Sum(r => r.Size)
        );
        return (session.OutNext, now.OutNext, session.CurrentRun is not null);
    }

    /// <summary>
    /// The turn's records become one message of the transcript, in the transaction that stores the control record. Then
    /// the run becomes idle, or takes the messages that wait.
    /// </summary>
    private async ValueTask<Session> CompleteTurnAsync(
        Tx tx,
        Session session,
        SessionRef name,
        NewRecord record,
        FoldedMessage? message
    )
    {
        var messages = session.MessageNext;
        if (message is not null)
            await transcript.InsertAsync(tx, session.Project, session.Id, messages++, message, session.CurrentRun);
        var answered = AnsweredBy(session, record);
        var headers = new List<string[]>(record.Headers!.Where(h => !Control.IsOfServer(h[0])));
        if (answered >= 0)
            headers.Add([Control.InEventId, answered.ToString()]);
        RecordStore.Insert(tx, name, RecordStore.Out, session.OutNext, record with { Headers = headers });
        var now = session with
        {
            OutNext = session.OutNext + 1,
            OutSettled = true,
            MessageNext = messages,
            InAnsweredSeq = answered,
            TurnDeadline = null,
            TurnOutSeq = session.OutNext + 1,
        };
        tx.Queue(
            """
            UPDATE session
            SET message_next = $3, in_answered_seq = $4, turn_deadline = NULL, turn_out_seq = $5, updated_at = $6
            WHERE project = $1 AND id = $2
            """,
            now.Project,
            now.Id,
            now.MessageNext,
            now.InAnsweredSeq,
            now.TurnOutSeq,
            tx.Now
        );
        SessionStore.ListChanged(tx, now.Project);
        await AgentPlaces.FreeAsync(tx, now.Project, now.Agent, ofSession: true);
        if (now.CurrentRun is { } run)
        {
            if (now.HasUnanswered)
                await RunDue.RequeueAsync(tx, now.Project, run);
            else
                await RunDue.ReturnToIdleAsync(tx, now.Project, run);
        }
        await raise.TurnEnded.RaiseAsync(tx, new TurnEnded(now, answered));
        return now;
    }

    /// <summary>
    /// The number that the agent says it has answered, within the existing ones; else the message for which the turn
    /// was opened.
    /// </summary>
    private static long AnsweredBy(Session session, NewRecord record)
    {
        var said = record.Headers!.FirstOrDefault(h => h[0] == Control.InEventId)?[1];
        if (long.TryParse(said, out var seq) && seq >= session.InAnsweredSeq && seq < session.InNext)
            return seq;
        return Math.Max(session.InAnsweredSeq, session.TurnIsOpen ? session.TurnInSeq : session.InMessageSeq);
    }

    private static async ValueTask<(long Start, long End, bool Ensured)> AppendSideAsync(
        Tx tx,
        SessionRef name,
        string channel,
        List<NewRecord> records
    )
    {
        var start = await RecordStore.NextOfSideAsync(tx, name, channel);
        RecordStore.InsertAll(tx, name, channel, start, records);
        tx.Queue(
            "UPDATE session SET bytes = bytes + $3 WHERE project = $1 AND id = $2",
            name.Project,
            name.Id,
            records.Sum(r => r.Size)
        );
        return (start, start + records.Count, true);
    }
}
