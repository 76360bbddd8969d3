using System.Buffers;
using System.Text;
using System.Text.Json;
using Postern.Http;
using Postern.Live;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// The event frames of a channel. Records that were read together are sent together. A turn-complete has a frame of its
/// own, because each reader with write permission gets a fresh token with it.
/// </summary>
internal static class ChannelFrames
{
    /// <summary>The most records of one read, and so of one frame.</summary>
    private const int PageSize = 200;

    public static readonly byte[] Ping = "event: ping\ndata: {}\n\n"u8.ToArray();
    public static readonly byte[] Done = "data: [DONE]\n\n"u8.ToArray();

    /// <summary>The end of a stream whose reader lost the right to read.</summary>
    public static byte[] Error(string reason) =>
        Encoding.UTF8.GetBytes($"event: error\ndata: {{\"reason\":\"{reason}\"}}\n\n");

    /// <summary>Returns the channel as a log: its records after a number, and whether more can follow.</summary>
    public static LogSource Source(Database database, SessionRef name, string channel) =>
        new(
            $"{name.Id}/{channel}",
            name.Id,
            () =>
                database.ReadAsync(tx =>
                    tx.FirstAsync(
                        """
                        SELECT seq + 1
                        FROM record
                        WHERE project = $1 AND session = $2 AND channel = $3
                        ORDER BY seq DESC LIMIT 1
                        """,
                        r => r.GetInt64(0),
                        name.Project,
                        name.Id,
                        channel
                    )
                ),
            next => database.ReadAsync(tx => ReadAsync(tx, name, channel, next)),
            WatchedRow.Session(name.Project, name.Id)
        );

    public static async ValueTask<Batch> ReadAsync(Tx tx, SessionRef name, string channel, long next)
    {
        var records = await RecordStore.AfterAsync(tx, name, channel, next - 1, PageSize);
        if (records.Count > 0)
            return new Batch(Render(records), null);
        var session = await SessionStore.FindAsync(tx, name.Project, name.Id);
        return new Batch(
            [],
            session is null ? Access.StreamEnd.SessionDeleted
                : session.IsOver(tx.Now) ? Access.StreamEnd.SessionClosed
                : null
        );
    }

    public static List<Frame> Render(IReadOnlyList<Record> records)
    {
        var frames = new List<Frame>();
        var from = 0;
        for (var i = 0; i < records.Count; i++)
        {
            if (!records[i].IsTurnComplete)
                continue;
            if (i > from)
                frames.Add(Render(records, from, i, records[^1]));
            frames.Add(Render(records, i, i + 1, records[^1]) with { Entry = records[i] });
            from = i + 1;
        }
        if (from < records.Count)
            frames.Add(Render(records, from, records.Count, records[^1]));
        return frames;
    }

    /// <summary>A turn-complete with the reader's own token.</summary>
    public static ReadOnlyMemory<byte> WithToken(Record record, string token)
    {
        var headers = JsonSerializer.Deserialize<List<string[]>>(record.Headers!)!;
        headers.Add([Control.AccessToken, token]);
        return Render([record with { Headers = JsonSerializer.Serialize(headers, Wire.Json) }], 0, 1, record).Bytes;
    }

    private static Frame Render(IReadOnlyList<Record> records, int from, int to, Record last)
    {
        var data = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(data, Wire.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteStartArray("records"u8);
            for (var i = from; i < to; i++)
            {
                var record = records[i];
                json.WriteStartObject();
                json.WriteNumber("seq_num"u8, record.Seq);
                json.WriteNumber("timestamp"u8, record.At / 1000);
                json.WriteString("body"u8, record.Body);
                if (record.Headers is not null)
                {
                    json.WritePropertyName("headers"u8);
                    json.WriteRawValue(record.Headers, skipInputValidation: true);
                }
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteStartObject("tail"u8);
            json.WriteNumber("seq_num"u8, last.Seq + 1);
            json.WriteNumber("timestamp"u8, last.At / 1000);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        var (start, end) = (records[from].Seq, records[to - 1].Seq + 1);
        var head = Encoding.ASCII.GetBytes($"event: batch\nid: {start},{end},{data.WrittenCount}\ndata: ");
        var frame = new byte[head.Length + data.WrittenCount + 2];
        head.CopyTo(frame, 0);
        data.WrittenSpan.CopyTo(frame.AsSpan(head.Length));
        "\n\n"u8.CopyTo(frame.AsSpan(head.Length + data.WrittenCount));
        return new Frame(start, end, frame);
    }
}
