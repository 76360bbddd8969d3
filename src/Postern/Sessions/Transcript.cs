using System.Data.Common;
using Postern.Http;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// The rows of transcripts, which history shows. Sequence numbers are dense from 1 and come from the session's row,
/// under its lock.
/// </summary>
internal sealed class Transcript(Database database, SessionEvents events)
{
    /// <summary>The most bytes of content that one page reads; one message is always returned.</summary>
    private const int MaxPageBytes = 8 * 1024 * 1024;
    private const string Columns = "seq, id, role, content, at, run, pieces";
    private static readonly BytePage Pages = new(
        Columns,
        $"octet_length(content) + pieces * {TurnAssemblers.PieceBytes}"
    );

    /// <summary>
    /// How many messages back to search for a message that a client sends back without its agent's id.
    /// </summary>
    private const long SearchedMessages = 200;
    private const long TurnsOfOneMessage = 4;

    /// <summary>
    /// The most bytes of a message into which results are put, because it is rewritten while the session is locked.
    /// </summary>
    private const long MergedBytes = 2 * 1024 * 1024;

    /// <summary>Adds a message. The caller takes the number from the locked session and increments it there.</summary>
    public async ValueTask<string> InsertAsync(
        Tx tx,
        string project,
        string session,
        long seq,
        ChatMessage message,
        string? run,
        string? idempotencyKey = null
    )
    {
        var id = Id.New("msg", database.Now);
        tx.Queue(
            """
            INSERT INTO message (project, session, seq, id, role, content, at, run, idempotency_key, client_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """,
            project,
            session,
            seq,
            id,
            message.Role,
            message.Content,
            tx.Now,
            run,
            idempotencyKey,
            message.ClientId
        );
        await events.CommittedAsync(tx, project, session, seq, id, message.Role, run);
        return id;
    }

    /// <summary>Adds a message to a locked session that accepts messages, without a run.</summary>
    /// <param name="key">The name under which it is there once; null: it has none.</param>
    public async ValueTask<Checked<Message>> AddAsync(Tx tx, Session session, ChatMessage message, string? key)
    {
        if (session.IsClosed || session.IsExpired(tx.Now))
            return new Refusal(409, session.IsClosed ? "The session is closed" : "The session has expired");
        var seq = session.MessageNext;
        var id = await InsertAsync(tx, session.Project, session.Id, seq, message, null, key);
        SessionStore.SetMessageNext(tx, session.Project, session.Id, seq + 1);
        tx.Notify(session.Id);
        return new Message(seq, id, message.Role, message.Content, tx.Now, null);
    }

    /// <summary>Adds the message made from a turn.</summary>
    public async ValueTask InsertAsync(
        Tx tx,
        string project,
        string session,
        long seq,
        FoldedMessage folded,
        string? run
    )
    {
        var id = folded.MessageId ?? Id.New("msg", database.Now);
        tx.Queue(
            """
            INSERT INTO message (project, session, seq, id, role, content, at, run, pieces, client_id)
            VALUES ($1, $2, $3, $4, 'assistant', $5, $6, $7, $8, $9)
            """,
            project,
            session,
            seq,
            id,
            folded.Content,
            tx.Now,
            run,
            folded.Pieces,
            folded.ClientId
        );
        await events.CommittedAsync(tx, project, session, seq, id, "assistant", run);
    }

    /// <summary>Returns the state of the transcript, or null when there is no such session.</summary>
    public ValueTask<TranscriptState?> StateAsync(SessionRef name) =>
        database.ReadAsync(tx =>
            tx.FirstAsync<TranscriptState?>(
                """
                SELECT merges, CASE WHEN merges > 0 THEN updated_at ELSE 0 END,
                  (SELECT seq || ' ' || id FROM message WHERE project = $1 AND session = $2 ORDER BY seq DESC LIMIT 1)
                FROM session WHERE project = $1 AND id = $2
                """,
                r => StandOf(r.GetInt64(0), r.GetInt64(1), r.TextOrNull(2)),
                name.Project,
                name.Id
            )
        );

    /// <param name="merges">How often results were merged.</param>
    /// <param name="mergedAt">When.</param>
    /// <param name="newest">Number and id of the newest message, read in one statement; null where there is
    /// none.</param>
    private static TranscriptState StandOf(long merges, long mergedAt, string? newest)
    {
        if (newest is null)
            return new TranscriptState(0, merges, mergedAt, null);
        var space = newest.IndexOf(' ', StringComparison.Ordinal);
        return new TranscriptState(long.Parse(newest.AsSpan(0, space)), merges, mergedAt, newest[(space + 1)..]);
    }

    /// <summary>
    /// Stores the message of a record on <c>in</c>. Returns true when it was added under the number. Returns false when
    /// it was an assistant's message that came back; its results are then in the existing message.
    /// </summary>
    /// <param name="tx">Holds the session's row.</param>
    /// <param name="session">Whose transcript it is.</param>
    /// <param name="seq">The number of the next message.</param>
    /// <param name="message">What came.</param>
    public async ValueTask<bool> TakeAsync(Tx tx, Session session, long seq, ChatMessage message)
    {
        if (message.Role == "assistant" && await MergeAsync(tx, session, seq, message))
            return false;
        if (message.OnlyMerges)
            return false;
        await InsertAsync(tx, session.Project, session.Id, seq, message, null);
        return true;
    }

    /// <summary>Returns false when the transcript does not contain the message that came back.</summary>
    private static async ValueTask<bool> MergeAsync(Tx tx, Session session, long seq, ChatMessage returned)
    {
        var (project, id, name) = (session.Project, session.Id, returned.ClientId);
        // Several turns of one message share its id; one of them contains the call.
        const string byName = "client_id = $4 ORDER BY seq DESC LIMIT $5";
        var named = name is null ? [] : await FindAsync(byName, name, TurnsOfOneMessage);
        // A client that has read the transcript uses the transcript's id of the message.
        var from = named.Count > 0 ? 0 : await OldestSearchedAsync(tx, project, id);
        if (named.Count == 0 && name is not null)
            named = await FindAsync("seq >= $5 AND id = $4 AND role = 'assistant'", name, from);
        // When the agent gave no id, the client invented one. Then the newest message is meant.
        var meant =
            named.Count > 0
                ? named
                : await FindAsync("seq >= $4 AND role = 'assistant' ORDER BY seq DESC LIMIT $5", from, 1L);
        var merged = false;
        foreach (var (at, stored) in meant)
        {
            if (stored is null || ReturnedMessage.Merge(stored, returned.Content) is not { } content)
                continue;
            await tx.ExecuteAsync(
                "UPDATE message SET content = $4 WHERE project = $1 AND session = $2 AND seq = $3",
                project,
                id,
                at,
                content
            );
            merged = true;
        }
        if (merged)
            await tx.ExecuteAsync(
                "UPDATE session SET merges = merges + 1, updated_at = $3 WHERE project = $1 AND id = $2",
                project,
                id,
                tx.Now
            );
        return merged || named.Count > 0;

        ValueTask<List<(long At, byte[]? Content)>> FindAsync(string condition, object first, object second) =>
            tx.ListAsync(
                $"""
                SELECT seq, CASE WHEN pieces = 0 AND length(content) <= $3 THEN content END FROM message
                WHERE project = $1 AND session = $2 AND {condition}
                """,
                r => (r.GetInt64(0), r.BytesOrNull(1)),
                project,
                id,
                MergedBytes,
                first,
                second
            );
    }

    private static ValueTask<long> OldestSearchedAsync(Tx tx, string project, string session) =>
        tx.FirstAsync(
            "SELECT seq FROM message WHERE project = $1 AND session = $2 ORDER BY seq DESC LIMIT 1 OFFSET $3",
            r => r.GetInt64(0),
            project,
            session,
            SearchedMessages - 1
        );

    /// <summary>Returns whether there is a message with a number.</summary>
    public async ValueTask<bool> HoldsAsync(string project, string session, long seq) =>
        await database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT 1 FROM message WHERE project = $1 AND session = $2 AND seq = $3",
                r => r.GetInt32(0),
                project,
                session,
                seq
            )
        ) > 0;

    public static async ValueTask<Message?> FindRepeatAsync(
        Tx tx,
        string project,
        string session,
        string idempotencyKey
    ) =>
        (
            await tx.FirstAsync(
                $"SELECT {Columns} FROM message WHERE project = $1 AND session = $2 AND idempotency_key = $3",
                Map,
                project,
                session,
                idempotencyKey
            )
        ).Message;

    /// <summary>Returns the newest messages before a number, newest first.</summary>
    public ValueTask<List<Message>> BeforeAsync(string project, string session, long before, int limit) =>
        database.ReadAsync(tx => PageAsync(tx, "seq < $3", "seq DESC", project, session, before, limit));

    /// <summary>Returns the messages after a number, oldest first.</summary>
    public ValueTask<List<Message>> AfterAsync(string project, string session, long after, int limit) =>
        database.ReadAsync(tx => PageAsync(tx, "seq > $3", "seq", project, session, after, limit));

    private static async ValueTask<List<Message>> PageAsync(
        Tx tx,
        string which,
        string order,
        string project,
        string session,
        long seq,
        int limit
    )
    {
        var rows = await Pages.ReadAsync(
            tx,
            "message WHERE project = $1 AND session = $2 AND " + which,
            order,
            limit,
            MaxPageBytes,
            Map,
            project,
            session,
            seq
        );
        var messages = new List<Message>(rows.Count);
        foreach (var (row, pieces) in rows)
            messages.Add(pieces == 0 ? row : row with { Content = await WholeAsync(tx, project, session, row) });
        return messages;
    }

    /// <summary>
    /// Returns the content of a long message: its pieces, which were written before it, and the rest from its own row.
    /// </summary>
    private static async ValueTask<byte[]> WholeAsync(Tx tx, string project, string session, Message message)
    {
        var pieces = await tx.ListAsync(
            "SELECT body FROM message_piece WHERE project = $1 AND session = $2 AND message = $3 ORDER BY piece",
            r => r.Bytes(0),
            project,
            session,
            message.Id
        );
        var whole = new byte[pieces.Sum(p => p.Length) + message.Content.Length];
        var at = 0;
        foreach (var part in pieces.Append(message.Content))
        {
            part.CopyTo(whole, at);
            at += part.Length;
        }
        return whole;
    }

    private static (Message Message, long Pieces) Map(DbDataReader r) =>
        (new(r.GetInt64(0), r.GetString(1), r.GetString(2), r.Bytes(3), r.GetInt64(4), r.TextOrNull(5)), r.GetInt64(6));
}
