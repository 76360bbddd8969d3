using System.Text.Json;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// Stored requests. What always holds: an envelope is on disk before its sender is told so and before a plane sees it;
/// its frame is made once, in the transaction that gives it its number, and never changes; its first answer stays. Its
/// bytes go with its answer, the row when its receipt's time is over.
/// </summary>
internal sealed class EnvelopeStore(Database database, RelayIdentity identity)
{
    /// <summary>How long a network stays known after the plane took something from it.</summary>
    public const long NetworkKnown = 30 * 86_400_000_000L;

    /// <summary>A network that is known so long already is not written again.</summary>
    private const long NetworkFresh = NetworkKnown - 86_400_000_000L;

    /// <summary>Envelopes that are ended in one transaction.</summary>
    public const int Batch = 200;

    private const string AnswerColumns = "id, state, received_at, ended_at, status, headers, body";

    /// <param name="envelope">What came.</param>
    /// <param name="retention">Microseconds that it waits for an answer at most.</param>
    public async Task<StoreOutcome> StoreAsync(NewEnvelope envelope, long retention)
    {
        var keys = await identity.KeysAsync();
        return await database.WriteAsync<StoreOutcome>(async tx =>
        {
            if (await RelayPlaneStore.LockAsync(tx, envelope.Plane) is not { RevokedAt: null } plane)
                return new StoreOutcome.NoPlane();
            var lane = plane.MayHaveFullLane(envelope.Size) ? await LaneAsync(tx, envelope) : default;
            if (!plane.HasRoomFor(envelope, lane))
                return new StoreOutcome.Full();
            var id = Id.New("env", tx.Now);
            var head = new EnvelopeHead(
                keys.Relay,
                plane.Plane,
                id,
                plane.NextSeq,
                envelope.Lane,
                tx.Now / 1000,
                (tx.Now + retention) / 1000,
                "",
                ""
            );
            var open = P256PublicKey.TryParse(plane.OpenKey)!;
            var frame = EnvelopeSeal.Seal(open, head, envelope.Request).Encode(keys.Current, RelaySignature.ToPlane);
            await InsertAsync(tx, envelope, head, frame, retention);
            await CountAsync(tx, plane.Plane, 1, envelope.Size, envelope.IsKnown);
            tx.Notify(RelayTopics.Of(plane.Plane));
            var receipt = new EnvelopeReceipt(
                keys.Relay,
                plane.Plane,
                id,
                plane.NextSeq,
                tx.Now / 1_000_000,
                envelope.Request.Method,
                envelope.Url,
                EnvelopeReceipt.HashOf(envelope.Request.Body.Span)
            );
            return new StoreOutcome.Stored(plane.NextSeq, id, receipt.Encode(keys.Current));
        });
    }

    /// <summary>What has become of an envelope; null when its time is over.</summary>
    public ValueTask<StoredAnswer?> AnswerAsync(string plane, long seq) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                $"SELECT {AnswerColumns} FROM relay_request WHERE plane = $1 AND seq = $2",
                MapAnswer,
                plane,
                seq
            )
        );

    /// <summary>The envelope of a receipt, by the digest of its token.</summary>
    public ValueTask<(string Plane, long Seq)?> FindAsync(byte[] receipt) =>
        database.ReadAsync(tx =>
            tx.FirstAsync<(string, long)?>(
                "SELECT plane, seq FROM relay_request WHERE receipt = $1",
                r => (r.GetString(0), r.GetInt64(1)),
                receipt
            )
        );

    /// <summary>
    /// Commits answers of a plane. An envelope that is gone stays gone; a repeat is settled as the first.
    /// </summary>
    public Task<List<SettledAnswer>> SettleAsync(string plane, IReadOnlyList<PlaneAnswer> answers) =>
        database.WriteAsync(async tx =>
        {
            await RelayPlaneStore.LockAsync(tx, plane);
            var settled = new List<SettledAnswer>(answers.Count);
            foreach (var answer in answers)
                settled.Add(await SettleAsync(tx, plane, answer));
            return settled;
        });

    /// <summary>Ends envelopes that wait, some of one plane in one transaction.</summary>
    /// <param name="plane">Whose.</param>
    /// <param name="state">What they are from now on.</param>
    /// <param name="until">Those that expire before it, microseconds since 1970.</param>
    /// <param name="below">Those with a lower number.</param>
    /// <param name="limit">So many at most.</param>
    /// <returns>How many.</returns>
    public Task<int> EndAsync(string plane, string state, long until, long below, int limit) =>
        database.WriteAsync(async tx =>
        {
            await RelayPlaneStore.LockAsync(tx, plane);
            var due = await tx.ListAsync(
                """
                SELECT seq, id, size, is_known FROM relay_request
                WHERE plane = $1 AND open_seq < $3 AND expires_at <= $2 ORDER BY open_seq LIMIT $4
                """,
                r => (Seq: r.GetInt64(0), Id: r.GetString(1), Size: r.GetInt64(2), IsKnown: r.Flag(3)),
                plane,
                until,
                below,
                limit
            );
            foreach (var (seq, id, size, isKnown) in due)
            {
                await tx.ExecuteAsync(
                    """
                    UPDATE relay_request
                    SET state = $3, frame = NULL, open_seq = NULL, ended_at = $4, told = 0
                    WHERE plane = $1 AND seq = $2 AND state = 'stored'
                    """,
                    plane,
                    seq,
                    state,
                    tx.Now
                );
                await CountAsync(tx, plane, -1, -size, isKnown);
                tx.Notify(RelayTopics.OfEnvelope(id));
            }
            if (due.Count > 0)
                tx.Notify(RelayTopics.Of(plane));
            return due.Count;
        });

    /// <summary>Ends all that waits below a number: nobody can open it any more.</summary>
    public async Task DeleteAsync(string plane, long below)
    {
        while (await EndAsync(plane, EnvelopeState.Deleted, long.MaxValue, below, Batch) == Batch) { }
    }

    /// <summary>Planes that have envelopes whose time is over.</summary>
    public ValueTask<List<string>> OverdueAsync(int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                """
                SELECT DISTINCT plane
                FROM (
                  SELECT plane FROM relay_request
                  WHERE open_seq IS NOT NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2
                ) AS due
                """,
                r => r.GetString(0),
                tx.Now,
                limit
            )
        );

    /// <summary>The envelopes behind a number that wait, in their order, without their bytes.</summary>
    public ValueTask<List<WaitingEnvelope>> WaitingAsync(string plane, long after, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                """
                SELECT seq, id, lane, size, expires_at FROM relay_request
                WHERE plane = $1 AND open_seq > $2
                ORDER BY open_seq LIMIT $3
                """,
                r => new WaitingEnvelope(r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetInt64(3), r.GetInt64(4)),
                plane,
                after,
                limit
            )
        );

    /// <summary>The bytes to send; null when it does not wait any more.</summary>
    public ValueTask<byte[]?> FrameAsync(string plane, long seq) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT frame FROM relay_request WHERE plane = $1 AND seq = $2 AND state = 'stored'",
                r => r.BytesOrNull(0),
                plane,
                seq
            )
        );

    /// <summary>Envelopes that are gone, of which the plane was not told.</summary>
    public ValueTask<List<SettledAnswer>> GoneAsync(string plane, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                "SELECT id, seq, state FROM relay_request WHERE plane = $1 AND told = 0 ORDER BY seq LIMIT $2",
                r => new SettledAnswer(r.GetString(0), r.GetInt64(1), r.GetString(2)),
                plane,
                limit
            )
        );

    public Task ToldAsync(string plane, IReadOnlyList<long> seqs) =>
        database.WriteAsync(async tx =>
        {
            foreach (var seq in seqs)
                await tx.ExecuteAsync("UPDATE relay_request SET told = 1 WHERE plane = $1 AND seq = $2", plane, seq);
            return seqs.Count;
        });

    /// <summary>The smallest number that waits, and when it came; null when none does.</summary>
    public ValueTask<(long Seq, long ReceivedAt)?> OldestAsync(string plane) =>
        database.ReadAsync(tx =>
            tx.FirstAsync<(long, long)?>(
                """
                SELECT seq, received_at FROM relay_request
                WHERE plane = $1 AND open_seq > 0 ORDER BY open_seq LIMIT 1
                """,
                r => (r.GetInt64(0), r.GetInt64(1)),
                plane
            )
        );

    private async ValueTask<SettledAnswer> SettleAsync(Tx tx, string plane, PlaneAnswer answer)
    {
        var (head, body) = answer;
        var found = await tx.FirstAsync(
            """
            SELECT id, state, size, is_known, is_signed, network FROM relay_request
            WHERE plane = $1 AND seq = $2
            """,
            r =>
                (
                    Id: r.GetString(0),
                    State: r.GetString(1),
                    Size: r.GetInt64(2),
                    IsKnown: r.Flag(3),
                    IsSigned: r.Flag(4),
                    Network: r.GetString(5)
                ),
            plane,
            head.Seq
        );
        if (found.Id != head.Id)
            return new SettledAnswer(head.Id, head.Seq, EnvelopeState.Deleted);
        if (found.State != EnvelopeState.Stored)
            return new SettledAnswer(head.Id, head.Seq, found.State);
        // What cannot be passed on is not kept either: its caller is told 502.
        var isFit = body.Length <= RelayLimits.Answer && head.Status is >= 200 and <= 599;
        await tx.ExecuteAsync(
            """
            UPDATE relay_request
            SET state = 'answered', frame = NULL, open_seq = NULL, ended_at = $3, status = $4, headers = $5, body = $6
            WHERE plane = $1 AND seq = $2 AND state = 'stored'
            """,
            plane,
            head.Seq,
            tx.Now,
            isFit ? head.Status : 0L,
            JsonSerializer.Serialize(isFit ? RelayedAnswer.Kept(head.Headers) : []),
            isFit ? body : []
        );
        await CountAsync(tx, plane, -1, -found.Size, found.IsKnown);
        if (found.IsSigned && head.Status is >= 200 and < 300)
            await KnowAsync(tx, plane, found.Network);
        tx.Notify(RelayTopics.OfEnvelope(head.Id));
        return new SettledAnswer(head.Id, head.Seq, EnvelopeState.Answered);
    }

    private static ValueTask<int> KnowAsync(Tx tx, string plane, string network) =>
        tx.ExecuteAsync(
            """
            INSERT INTO relay_network (plane, network, until) VALUES ($1, $2, $3)
            ON CONFLICT (plane, network) DO UPDATE SET until = excluded.until WHERE relay_network.until < $4
            """,
            plane,
            network,
            tx.Now + NetworkKnown,
            tx.Now + NetworkFresh
        );

    private static async ValueTask<(long, long)> LaneAsync(Tx tx, NewEnvelope envelope) =>
        await tx.FirstAsync(
            """
            SELECT COUNT(*), COALESCE(SUM(size), 0) FROM relay_request
            WHERE plane = $1 AND lane = $2 AND open_seq IS NOT NULL
            """,
            r => (r.GetInt64(0), Convert.ToInt64(r.GetValue(1))),
            envelope.Plane,
            envelope.Lane
        );

    private static ValueTask<int> InsertAsync(
        Tx tx,
        NewEnvelope envelope,
        EnvelopeHead head,
        byte[] frame,
        long retention
    ) =>
        tx.ExecuteAsync(
            """
            INSERT INTO relay_request
              (plane, seq, open_seq, id, lane, network, is_known, is_signed, size, frame, receipt, received_at,
               expires_at, state, told)
            VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'stored', 1)
            """,
            head.Plane,
            head.Seq,
            head.Id,
            head.Lane,
            envelope.Network,
            envelope.IsKnown ? 1L : 0L,
            envelope.Door.Signed ? 1L : 0L,
            envelope.Size,
            frame,
            envelope.Receipt,
            tx.Now,
            tx.Now + retention
        );

    private static ValueTask<int> CountAsync(Tx tx, string plane, long count, long size, bool isKnown) =>
        tx.ExecuteAsync(
            $"""
            UPDATE relay_plane
            SET open_count = open_count + $2, open_bytes = open_bytes + $3,
              next_seq = next_seq + {(count > 0 ? 1 : 0)},
              unknown_count = unknown_count + $4, unknown_bytes = unknown_bytes + $5
            WHERE plane = $1
            """,
            plane,
            count,
            size,
            isKnown ? 0L : count,
            isKnown ? 0L : size
        );

    private static StoredAnswer MapAnswer(System.Data.Common.DbDataReader r) =>
        new(
            r.GetString(0),
            r.GetString(1),
            r.GetInt64(2),
            r.LongOrNull(3),
            (int)(r.LongOrNull(4) ?? 0),
            r.TextOrNull(5) is { } headers ? JsonSerializer.Deserialize<List<string[]>>(headers)! : [],
            r.BytesOrNull(6) ?? []
        );
}
