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
    private const string Columns = "seq, id, role, content, at, run";

    /// <summary>How far back the message is looked for that a client sends back under no name of its agent's.</summary>
    private const long LooksBack = 200;
    private const long TurnsOfOneMessage = 4;

    /// <summary>Bytes of a message into which results are put: it is written anew while the session is held.</summary>
    private const long MergedBytes = 2 * 1024 * 1024;

    /// <summary>Adds a message under a number that the caller takes from the locked session and counts on there.</summary>
    public async ValueTask<string> InsertAsync(Tx tx, string project, string session, long seq, ChatMessage message, string? run, string? idempotencyKey = null)
    {
        var id = Id.New("msg", clock);
        await tx.ExecuteAsync(
            """
            INSERT INTO message (project, session, seq, id, role, content, at, run, idempotency_key, client_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """,
            project, session, seq, id, message.Role, message.Content, tx.Now, run, idempotencyKey, message.ClientId);
        await events.CommittedAsync(tx, project, session, seq, id, message.Role, run);
        return id;
    }

    /// <summary>
    /// Takes what came in on a channel. True: it is a new message under the number. False: it was an assistant's
    /// message that came back, and its results stand in the one that is there.
    /// </summary>
    /// <param name="tx">Holds the session's row.</param>
    /// <param name="session">Whose transcript it is.</param>
    /// <param name="seq">The number of the next message.</param>
    /// <param name="message">What came.</param>
    public async ValueTask<bool> TakeAsync(Tx tx, Session session, long seq, ChatMessage message)
    {
        if (message.Role == "assistant" && await MergeAsync(tx, session, seq, message)) return false;
        if (message.OnlyMerges) return false;
        await InsertAsync(tx, session.Project, session.Id, seq, message, null);
        return true;
    }

    /// <summary>False: nothing in the transcript is the message that came back.</summary>
    private static async ValueTask<bool> MergeAsync(Tx tx, Session session, long seq, ChatMessage returned)
    {
        var (project, id, name) = (session.Project, session.Id, returned.ClientId);
        // Turns that go on with one message share its name; the call stands in one of them.
        const string byName = "client_id = $4 ORDER BY seq DESC LIMIT $5";
        var named = name is null ? [] : await FindAsync(byName, name, TurnsOfOneMessage);
        // A client that read the transcript calls the message as the transcript does.
        if (named.Count == 0 && name is not null)
            named = await FindAsync("seq >= $5 AND id = $4 AND role = 'assistant'", name, seq - LooksBack);
        // Where the agent gave its message no name, the client made one up: then it is the newest that is meant.
        var meant = named.Count > 0
            ? named
            : await FindAsync("seq >= $4 AND role = 'assistant' ORDER BY seq DESC LIMIT $5", seq - LooksBack, 1L);
        var merged = false;
        foreach (var (at, stored) in meant)
        {
            if (stored is null || ReturnedMessage.Merge(stored, returned.Content) is not { } content) continue;
            await tx.ExecuteAsync(
                "UPDATE message SET content = $4 WHERE project = $1 AND session = $2 AND seq = $3",
                project, id, at, content);
            merged = true;
        }
        if (merged)
            await tx.ExecuteAsync("UPDATE session SET merges = merges + 1 WHERE project = $1 AND id = $2", project, id);
        return merged || named.Count > 0;

        ValueTask<List<(long At, byte[]? Content)>> FindAsync(string condition, object first, object second) =>
            tx.ListAsync(
                $"""
                SELECT seq, CASE WHEN length(content) <= $3 THEN content END FROM message
                WHERE project = $1 AND session = $2 AND {condition}
                """, r => (r.GetInt64(0), r.BytesOrNull(1)), project, id, MergedBytes, first, second);
    }

    public static ValueTask<Message?> FindRepeatAsync(Tx tx, string project, string session, string idempotencyKey) =>
        tx.FirstAsync($"SELECT {Columns} FROM message WHERE project = $1 AND session = $2 AND idempotency_key = $3", Map, project, session, idempotencyKey);

    /// <summary>The newest messages before a number, newest first.</summary>
    public ValueTask<List<Message>> BeforeAsync(string project, string session, long before, int limit) =>
        database.ReadAsync(tx => BoundedAsync(tx, $"SELECT {Columns} FROM message WHERE project = $1 AND session = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4", project, session, before, limit));

    /// <summary>The messages after a number, oldest first.</summary>
    public ValueTask<List<Message>> AfterAsync(string project, string session, long after, int limit) =>
        database.ReadAsync(tx => BoundedAsync(tx, $"SELECT {Columns} FROM message WHERE project = $1 AND session = $2 AND seq > $3 ORDER BY seq LIMIT $4", project, session, after, limit));

    private static async ValueTask<List<Message>> BoundedAsync(Tx tx, string sql, string project, string session, long seq, int limit)
    {
        var bytes = 0L;
        var rows = await tx.ListAsync(sql, r =>
        {
            if (bytes > MaxPageBytes) return null;
            var message = Map(r);
            bytes += message.Content.Length;
            return message;
        }, project, session, seq, limit);
        return [.. rows.TakeWhile(m => m is not null).Select(m => m!)];
    }

    private static Message Map(DbDataReader r) => new(r.GetInt64(0), r.GetString(1), r.GetString(2), r.Bytes(3), r.GetInt64(4), r.TextOrNull(5));
}
