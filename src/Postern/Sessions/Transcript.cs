using System.Buffers;
using System.Data.Common;
using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>One committed entry of the transcript. <see cref="Content"/> is a JSON array of blocks, as it goes out.</summary>
internal sealed record Message(long Seq, string Id, string Role, byte[] Content, long At, string? Run)
{
    /// <summary>The messages as agents and clients of the session family read them; history has a form of its own.</summary>
    public static byte[] RenderAll(IEnumerable<Message> messages)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, Wire.WriterOptions);
        json.WriteStartArray();
        foreach (var message in messages)
        {
            json.WriteStartObject();
            json.WriteString("id", message.Id);
            json.WriteString("role", message.Role);
            json.WritePropertyName("content");
            json.WriteRawValue(message.Content, skipInputValidation: true);
            json.WriteNumber("timestamp", message.At / 1000);
            if (message.Run is not null) json.WriteString("runId", message.Run);
            json.WriteNumber("seq", message.Seq);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}

/// <summary>The transcripts' rows: what history shows. Sequence numbers are dense from 1 and come from the session's row, under its lock.</summary>
internal sealed class Transcript(Database database, SessionEvents events, TimeProvider clock)
{
    /// <summary>Bytes of content that one page reads at most; one message is always given.</summary>
    private const int MaxPageBytes = 8 * 1024 * 1024;
    private const string Columns = "seq, id, role, content, at, run, pieces";
    private static readonly BytePage Pages = new(Columns, $"octet_length(content) + pieces * {TurnFolds.PieceBytes}");

    /// <summary>Adds a message under a number that the caller takes from the locked session and counts on there.</summary>
    public async ValueTask<string> InsertAsync(Tx tx, string project, string session, long seq, ChatMessage message, string? run, string? idempotencyKey = null)
    {
        var id = Id.New("msg", clock);
        await tx.ExecuteAsync(
            "INSERT INTO message (project, session, seq, id, role, content, at, run, idempotency_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            project, session, seq, id, message.Role, message.Content, tx.Now, run, idempotencyKey);
        await events.CommittedAsync(tx, project, session, seq, id, message.Role, run);
        return id;
    }

    /// <summary>The message that a turn was folded into.</summary>
    public async ValueTask InsertAsync(
        Tx tx, string project, string session, long seq, FoldedMessage folded, string? run)
    {
        var id = folded.MessageId ?? Id.New("msg", clock);
        await tx.ExecuteAsync(
            """
            INSERT INTO message (project, session, seq, id, role, content, at, run, pieces)
            VALUES ($1, $2, $3, $4, 'assistant', $5, $6, $7, $8)
            """,
            project, session, seq, id, folded.Content, tx.Now, run, folded.Pieces);
        await events.CommittedAsync(tx, project, session, seq, id, "assistant", run);
    }

    public static async ValueTask<Message?> FindRepeatAsync(
        Tx tx, string project, string session, string idempotencyKey) =>
        (await tx.FirstAsync(
            $"SELECT {Columns} FROM message WHERE project = $1 AND session = $2 AND idempotency_key = $3",
            Map,
            project, session, idempotencyKey)).Message;

    /// <summary>The newest messages before a number, newest first.</summary>
    public ValueTask<List<Message>> BeforeAsync(string project, string session, long before, int limit) =>
        database.ReadAsync(tx => PageAsync(tx, "seq < $3", "seq DESC", project, session, before, limit));

    /// <summary>The messages after a number, oldest first.</summary>
    public ValueTask<List<Message>> AfterAsync(string project, string session, long after, int limit) =>
        database.ReadAsync(tx => PageAsync(tx, "seq > $3", "seq", project, session, after, limit));

    private static async ValueTask<List<Message>> PageAsync(
        Tx tx, string which, string order, string project, string session, long seq, int limit)
    {
        var rows = await Pages.ReadAsync(
            tx, "message WHERE project = $1 AND session = $2 AND " + which, order, limit, MaxPageBytes, Map, project,
            session, seq);
        var messages = new List<Message>(rows.Count);
        foreach (var (row, pieces) in rows)
            messages.Add(pieces == 0 ? row : row with { Content = await WholeAsync(tx, project, session, row) });
        return messages;
    }

    /// <summary>
    /// The content of a long message: its pieces, which were written before it, and what its own row holds.
    /// </summary>
    private static async ValueTask<byte[]> WholeAsync(Tx tx, string project, string session, Message message)
    {
        var pieces = await tx.ListAsync(
            "SELECT body FROM message_piece WHERE project = $1 AND session = $2 AND message = $3 ORDER BY piece",
            r => r.Bytes(0),
            project, session, message.Id);
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
