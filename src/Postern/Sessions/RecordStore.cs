using System.Buffers;
using System.Data.Common;
using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>The rows of channels.</summary>
internal sealed class RecordStore(Database database)
{
    public const string In = "in";
    public const string Out = "out";

    /// <summary>The most bytes of one page; one record is always returned.</summary>
    private const int MaxPageBytes = 1024 * 1024;
    private static readonly BytePage Pages = new(
        "seq, at, body, headers",
        "octet_length(body) + COALESCE(octet_length(headers), 0)"
    );

    /// <summary>
    /// A side channel's rows are stored under its name and direction, which cannot collide with <c>in</c> and
    /// <c>out</c>.
    /// </summary>
    public static string Side(string name, string io) => name + "/" + io;

    public static void Insert(Tx tx, SessionRef name, string channel, long seq, NewRecord record) =>
        tx.Queue(
            """
            INSERT INTO record (project, session, channel, seq, at, part_id, body, headers)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            name.Project,
            name.Id,
            channel,
            seq,
            tx.Now,
            record.PartId,
            record.Body,
            HeadersOf(record)
        );

    /// <summary>
    /// Writes records with the numbers from <paramref name="start"/> on: one statement for all of them, where
    /// statements are sent to a server.
    /// </summary>
    public static void InsertAll(Tx tx, SessionRef name, string channel, long start, IReadOnlyList<NewRecord> records)
    {
        if (records.Count > 1 && tx.WritesInQueries)
        {
            tx.Queue(
                """
                INSERT INTO record (project, session, channel, seq, at, part_id, body, headers)
                SELECT $1, $2, $3, one.seq, $4, one.part_id, one.body, one.headers
                FROM unnest($5::bigint[], $6::text[], $7::bytea[], $8::text[]) AS one(seq, part_id, body, headers)
                """,
                name.Project,
                name.Id,
                channel,
                tx.Now,
                records.Select((_, i) => start + i).ToArray(),
                records.Select(r => r.PartId).ToArray(),
                records.Select(r => r.Body).ToArray(),
                records.Select(HeadersOf).ToArray()
            );
            return;
        }
        for (var i = 0; i < records.Count; i++)
            Insert(tx, name, channel, start + i, records[i]);
    }

    private static string? HeadersOf(NewRecord record) =>
        record.Headers is null ? null : JsonSerializer.Serialize(record.Headers, Wire.Json);

    /// <summary>Returns the records for which part ids were first used.</summary>
    public static async ValueTask<Dictionary<string, Record>> FindPartsAsync(
        Tx tx,
        SessionRef name,
        string channel,
        IReadOnlyList<NewRecord> records
    )
    {
        var parts = records.Where(r => r.PartId is not null).Select(r => r.PartId!).ToList();
        if (parts.Count == 0)
            return [];
        const string some = """
            SELECT seq, at, body, headers, part_id FROM record
            WHERE project = $1 AND session = $2 AND channel = $3 AND
            """;
        var (which, arg) =
            parts.Count == 1
                ? ("part_id = $4", parts[0])
                : (tx.IsAnyOf("part_id", "$4"), JsonSerializer.Serialize(parts, Wire.Json));
        var found = await tx.ListAsync(
            some + " " + which,
            r => (Part: r.GetString(4), Record: Map(r)),
            name.Project,
            name.Id,
            channel,
            arg
        );
        return found.ToDictionary(f => f.Part, f => f.Record, StringComparer.Ordinal);
    }

    /// <summary>Takes the next sequence number of a side channel, under the session's lock.</summary>
    public static async ValueTask<long> NextOfSideAsync(Tx tx, SessionRef name, string channel) =>
        await tx.FirstAsync(
            "SELECT seq + 1 FROM record WHERE project = $1 AND session = $2 AND channel = $3 ORDER BY seq DESC LIMIT 1",
            r => r.GetInt64(0),
            name.Project,
            name.Id,
            channel
        );

    /// <summary>Returns the records after a number, at most <paramref name="limit"/> of them and one MiB.</summary>
    public ValueTask<List<Record>> AfterAsync(SessionRef name, string channel, long after, int limit) =>
        database.ReadAsync(tx => AfterAsync(tx, name, channel, after, limit));

    public static ValueTask<List<Record>> AfterAsync(
        Tx tx,
        SessionRef name,
        string channel,
        long after,
        int limit,
        long bytes = MaxPageBytes
    ) =>
        Pages.ReadAsync(
            tx,
            "record WHERE project = $1 AND session = $2 AND channel = $3 AND seq > $4",
            "seq",
            limit,
            bytes,
            Map,
            name.Project,
            name.Id,
            channel,
            after
        );

    /// <summary>Returns the next number, and the time of the last record (0 when there is none).</summary>
    public ValueTask<(long Next, long LastAt)> TailAsync(SessionRef name, string channel) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                """
                SELECT seq + 1, at
                FROM record
                WHERE project = $1 AND session = $2 AND channel = $3
                ORDER BY seq DESC LIMIT 1
                """,
                r => (r.GetInt64(0), r.GetInt64(1)),
                name.Project,
                name.Id,
                channel
            )
        );

    /// <summary>Returns the names of the channels that have records, in order.</summary>
    public async ValueTask<List<string>> ChannelsAsync(SessionRef name, int limit)
    {
        var found = new List<string>();
        while (found.Count < limit)
        {
            // It steps from one name to the next, so the cost depends on the number of channels, not of records.
            var next = await database.ReadAsync(tx =>
                tx.FirstAsync(
                    """
                    SELECT channel FROM record
                    WHERE project = $1 AND session = $2 AND channel > $3
                    ORDER BY channel LIMIT 1
                    """,
                    r => r.GetString(0),
                    name.Project,
                    name.Id,
                    found.LastOrDefault() ?? ""
                )
            );
            if (next is null)
                break;
            found.Add(next);
        }
        return found;
    }

    /// <summary>
    /// Returns the position in <c>out</c> of a person's command-line client when it last wrote to <c>in</c>.
    /// </summary>
    public ValueTask<long?> GetReadPositionAsync(SessionRef name, string subject) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT out_seq FROM participant WHERE project = $1 AND session = $2 AND subject = $3",
                r => (long?)r.GetInt64(0),
                name.Project,
                name.Id,
                subject
            )
        );

    public static void SaveReadPosition(Tx tx, SessionRef name, string subject, long outSeq) =>
        tx.Queue(
            """
            INSERT INTO participant (project, session, subject, out_seq)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (project, session, subject) DO UPDATE
            SET out_seq = excluded.out_seq
            """,
            name.Project,
            name.Id,
            subject,
            outSeq
        );

    private static Record Map(DbDataReader r) => new(r.GetInt64(0), r.GetInt64(1), r.Bytes(2), r.TextOrNull(3));
}
