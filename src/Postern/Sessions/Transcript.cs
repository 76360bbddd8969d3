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
