using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Stores the envelopes that relays have handed over, and their answers. A row is written before the envelope is run,
/// so that the same id or number with other content is noticed. It is written once more with the answer, after the
/// effect. The answer is kept until the relay has settled it. The row is kept one day longer than the relay may hold an
/// envelope.
/// </summary>
internal sealed class EnvelopeStore(Database database)
{
    private const long Day = 24L * 3600 * 1_000_000;
    private const int Unsettled = 200;

    private const string Insert = """
        INSERT INTO relay_envelope (relay, id, seq, lane, digest, received_at, taken_at, state)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'taken')
        ON CONFLICT DO NOTHING
        RETURNING seq
        """;

    /// <summary>Stores envelopes of one relay that arrive together.</summary>
    /// <returns>What is known of each, in the same order.</returns>
    public Task<List<EnvelopeTaken>> TakeAsync(IReadOnlyList<TakenEnvelope> given) =>
        database.WriteAsync(async tx =>
        {
            var relay = given[0].Head.Relay;
            var lanes = given.Select(g => g.Head.Lane).Distinct(StringComparer.Ordinal).ToList();
            var highest = lanes.Select(l => HighestAhead(tx, relay, l)).ToList();
            // By number, so that two nodes that are given the same do not wait for one another.
            var added = given.OrderBy(g => g.Head.Seq).Select(g => (Envelope: g, IsNew: InsertAhead(tx, g))).ToList();
            var last = new Dictionary<string, long>(StringComparer.Ordinal);
            for (var i = 0; i < lanes.Count; i++)
                last[lanes[i]] = await highest[i];
            var fresh = new HashSet<TakenEnvelope>(ReferenceEqualityComparer.Instance);
            foreach (var (envelope, isNew) in added)
                if (await isNew is not null)
                    fresh.Add(envelope);
            var outcomes = new List<EnvelopeTaken>(given.Count);
            foreach (var envelope in given)
            {
                var (lane, seq) = (envelope.Head.Lane, envelope.Head.Seq);
                outcomes.Add(
                    fresh.Contains(envelope)
                        ? new EnvelopeTaken.Fresh(last[lane] > seq)
                        : await FindAsync(tx, envelope.Head, envelope.Digest)
                );
                last[lane] = Math.Max(last[lane], seq);
            }
            return outcomes;
        });

    private static Ahead<long> HighestAhead(Tx tx, string relay, string lane) =>
        tx.FirstAhead(
            "SELECT COALESCE(MAX(seq), 0) FROM relay_envelope WHERE relay = $1 AND lane = $2",
            r => r.GetInt64(0),
            relay,
            lane
        );

    private static Ahead<long?> InsertAhead(Tx tx, TakenEnvelope envelope) =>
        tx.FirstAhead<long?>(
            Insert,
            r => r.GetInt64(0),
            envelope.Head.Relay,
            envelope.Head.Id,
            envelope.Head.Seq,
            envelope.Head.Lane,
            envelope.Digest,
            envelope.Head.ReceivedAt * 1000,
            tx.Now
        );

    /// <summary>What is known of an envelope whose id or number is there already.</summary>
    private static async ValueTask<EnvelopeTaken> FindAsync(Tx tx, EnvelopeHead head, string digest)
    {
        var known = await tx.FirstAsync(
            """
            SELECT digest, state, status, headers, body FROM relay_envelope
            WHERE relay = $1 AND id = $2 AND seq = $3
            """,
            r =>
                (
                    Digest: r.GetString(0),
                    State: r.GetString(1),
                    Status: r.LongOrNull(2),
                    Headers: r.TextOrNull(3),
                    Body: r.BytesOrNull(4)
                ),
            head.Relay,
            head.Id,
            head.Seq
        );
        return known switch
        {
            { State: null } => new EnvelopeTaken.Altered(),
            var k when k.Digest != digest => new EnvelopeTaken.Altered(),
            { State: "taken" } => new EnvelopeTaken.Fresh(false),
            { State: "answered" } k => new EnvelopeTaken.Answered(Answer(k.Status!.Value, k.Headers!, k.Body!)),
            { State: "settled" } k => new EnvelopeTaken.Settled((int)k.Status!.Value),
            _ => new EnvelopeTaken.Altered(),
        };
    }

    /// <summary>
    /// Stores the answer until it is settled. When two nodes ran the same envelope, the first answer counts.
    /// </summary>
    public Task<PlaneAnswer> AnswerAsync(EnvelopeHead head, PlaneAnswer answer) =>
        database.WriteAsync(async tx =>
        {
            var counts =
                await tx.ExecuteAsync(
                    """
                    UPDATE relay_envelope SET state = 'answered', status = $3, headers = $4, body = $5
                    WHERE relay = $1 AND id = $2 AND state = 'taken'
                    """,
                    head.Relay,
                    head.Id,
                    (long)answer.Status,
                    JsonSerializer.Serialize(answer.Headers, Wire.Json),
                    answer.Body
                ) == 1;
            if (counts)
            {
                Audit.Write(
                    tx,
                    new AuditRow(
                        Audit.NoProject,
                        "relay.envelope",
                        Actor: head.Id,
                        Reason: $"{head.Relay} seq {head.Seq} at {Wire.Iso(head.ReceivedAt * 1000)}: {answer.Status}"
                    )
                );
                return answer;
            }
            return await tx.FirstAsync(
                    """
                    SELECT status, headers, body FROM relay_envelope
                    WHERE relay = $1 AND id = $2 AND state = 'answered'
                    """,
                    r => Answer(r.GetInt64(0), r.GetString(1), r.Bytes(2)),
                    head.Relay,
                    head.Id
                ) ?? answer;
        });

    /// <summary>Answers that the relay has not settled, ordered by number.</summary>
    public ValueTask<List<(string Id, long Seq, PlaneAnswer Answer)>> UnsettledAsync(string relay, long after) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT id, seq, status, headers, body FROM relay_envelope
                WHERE relay = $1 AND state = 'answered' AND seq > $2
                ORDER BY seq LIMIT {Unsettled}
                """,
                r => (r.GetString(0), r.GetInt64(1), Answer(r.GetInt64(2), r.GetString(3), r.Bytes(4))),
                relay,
                after
            )
        );

    /// <summary>Marks answers as committed by the relay.</summary>
    public Task<int> SettleAsync(string relay, IReadOnlyList<string> ids) =>
        database.WriteAsync(tx =>
            tx.ExecuteAsync(
                $"""
                UPDATE relay_envelope SET state = 'settled', headers = NULL, body = NULL
                WHERE relay = $1 AND state = 'answered' AND {tx.IsAnyOf("id", "$2")}
                """,
                relay,
                JsonSerializer.Serialize(ids)
            )
        );

    /// <summary>
    /// Records that the relay no longer has an envelope. Returns false when it was answered before, or is known with
    /// other content.
    /// </summary>
    public Task<bool> GoneAsync(string relay, GoneHead gone) =>
        database.WriteAsync(async tx =>
        {
            var counts =
                await tx.ExecuteAsync(
                    """
                    INSERT INTO relay_envelope (relay, id, seq, lane, digest, received_at, taken_at, state)
                    VALUES ($1, $2, $3, '', '', 0, $4, 'gone')
                    ON CONFLICT DO NOTHING
                    """,
                    relay,
                    gone.Id,
                    gone.Seq,
                    tx.Now
                ) == 1;
            if (counts)
                Audit.Write(
                    tx,
                    new AuditRow(
                        Audit.NoProject,
                        "relay.envelope_gone",
                        Actor: gone.Id,
                        Reason: $"{relay} seq {gone.Seq} {gone.Reason}"
                    )
                );
            return counts;
        });

    /// <summary>Counts the numbers of a range that never arrived and were never reported as gone.</summary>
    public async ValueTask<long> MissingAsync(string relay, long from, long until) =>
        until
        - from
        - await database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT COUNT(*) FROM relay_envelope WHERE relay = $1 AND seq >= $2 AND seq < $3",
                r => r.GetInt64(0),
                relay,
                from,
                until
            )
        );

    public Task<int> ForgetAsync(long heldFor, int limit) =>
        database.WriteAsync(tx =>
            tx.ExecuteAsync(
                $"""
                DELETE FROM relay_envelope WHERE (relay, id) IN (
                  SELECT relay, id FROM relay_envelope WHERE taken_at < $1 LIMIT {limit}{tx.ForUpdateSkipLocked})
                """,
                tx.Now - heldFor - Day
            )
        );

    private static PlaneAnswer Answer(long status, string headers, byte[] body) =>
        new((int)status, JsonSerializer.Deserialize<List<string[]>>(headers, Wire.Json)!, body);
}
