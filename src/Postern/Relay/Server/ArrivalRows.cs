using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// The transaction that stores requests for one plane. Under the plane's lock, each envelope gets its number or is
/// refused by the limits of the backlog. Then all are inserted, and counted once.
/// </summary>
internal static class ArrivalRows
{
    private const string Columns = """
        plane, seq, open_seq, id, lane, network, is_known, is_signed, size, frame, receipt, received_at, expires_at,
        state, told
        """;

    /// <summary>The outcome of each request, in their order.</summary>
    public static async ValueTask<List<PlacedEnvelope>> StoreAsync(
        Tx tx,
        string plane,
        List<WaitingArrival> batch,
        RelayIdentity.Keys keys
    )
    {
        if (await RelayPlaneStore.LockAsync(tx, plane) is not { RevokedAt: null } row)
            return [.. batch.Select(_ => PlacedEnvelope.Not(new StoreOutcome.NoPlane()))];
        var open = P256PublicKey.OfStored(row.OpenKey);
        var lanes = new LaneCounts();
        var (placed, rows, all) = (new List<PlacedEnvelope>(batch.Count), new List<NewRow>(), BacklogChange.None);
        foreach (var arrival in batch)
        {
            var envelope = arrival.Envelope;
            var lane = row.MayHaveFullLane(envelope.Size) ? await lanes.OfAsync(tx, envelope) : default;
            if (!row.HasRoomFor(envelope, lane))
            {
                placed.Add(PlacedEnvelope.Not(new StoreOutcome.Full()));
                continue;
            }
            var head = HeadOf(tx, arrival, keys.Relay, row);
            rows.Add(new NewRow(head, arrival, arrival.Seal(open, head, keys.Current)));
            placed.Add(new PlacedEnvelope(null, head.Seq, head.Id, tx.Now));
            var more = BacklogChange.Of(envelope.Size, envelope.IsKnown);
            (row, all) = (row.With(more), all + more);
            lanes.Add(envelope);
        }
        if (rows.Count == 0)
            return placed;
        await InsertAsync(tx, plane, rows);
        await RelayPlaneStore.CountAsync(tx, plane, all, rows.Count);
        tx.Notify(RelayTopics.Of(plane));
        return placed;
    }

    private static EnvelopeHead HeadOf(Tx tx, WaitingArrival arrival, string relay, RelayPlane plane) =>
        new(
            relay,
            plane.Plane,
            Id.New("env", tx.Now),
            plane.NextSeq,
            arrival.Envelope.Lane,
            tx.Now / 1000,
            (tx.Now + arrival.Retention) / 1000,
            "",
            ""
        );

    /// <summary>One round trip for all of them, where the database can do that.</summary>
    private static async ValueTask InsertAsync(Tx tx, string plane, List<NewRow> rows)
    {
        if (rows.Count > 1 && tx.WritesInQueries)
        {
            await tx.ExecuteAsync(
                $"""
                INSERT INTO relay_request ({Columns})
                SELECT $1, one.seq, one.seq, one.id, one.lane, one.network, one.is_known, one.is_signed, one.size,
                  one.frame, one.receipt, $2, one.expires_at, 'stored', 1
                FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
                  $9::bigint[], $10::bytea[], $11::bytea[], $12::bigint[])
                  AS one(seq, id, lane, network, is_known, is_signed, size, frame, receipt, expires_at)
                """,
                plane,
                tx.Now,
                rows.Select(r => r.Head.Seq).ToArray(),
                rows.Select(r => r.Head.Id).ToArray(),
                rows.Select(r => r.Head.Lane).ToArray(),
                rows.Select(r => r.Envelope.Network).ToArray(),
                rows.Select(r => r.IsKnown).ToArray(),
                rows.Select(r => r.IsSigned).ToArray(),
                rows.Select(r => r.Envelope.Size).ToArray(),
                rows.Select(r => r.Frame).ToArray(),
                rows.Select(r => r.Envelope.Receipt).ToArray(),
                rows.Select(r => tx.Now + r.Arrival.Retention).ToArray()
            );
            return;
        }
        foreach (var row in rows)
            await tx.ExecuteAsync(
                $"""
                INSERT INTO relay_request ({Columns})
                VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'stored', 1)
                """,
                plane,
                row.Head.Seq,
                row.Head.Id,
                row.Head.Lane,
                row.Envelope.Network,
                row.IsKnown,
                row.IsSigned,
                row.Envelope.Size,
                row.Frame,
                row.Envelope.Receipt,
                tx.Now,
                tx.Now + row.Arrival.Retention
            );
    }

    private sealed record NewRow(EnvelopeHead Head, WaitingArrival Arrival, byte[] Frame)
    {
        public NewEnvelope Envelope => Arrival.Envelope;

        public long IsKnown => Envelope.IsKnown ? 1 : 0;

        public long IsSigned => Envelope.Door.Signed ? 1 : 0;
    }

    /// <summary>How many requests each lane has stored. Read once for each lane, then counted here.</summary>
    private sealed class LaneCounts
    {
        private readonly Dictionary<string, (long Count, long Bytes)> _stored = new(StringComparer.Ordinal);
        private readonly Dictionary<string, (long Count, long Bytes)> _added = new(StringComparer.Ordinal);

        public async ValueTask<(long Count, long Bytes)> OfAsync(Tx tx, NewEnvelope envelope)
        {
            if (!_stored.TryGetValue(envelope.Lane, out var stored))
                _stored[envelope.Lane] = stored = await tx.FirstAsync(
                    """
                    SELECT COUNT(*), COALESCE(SUM(size), 0) FROM relay_request
                    WHERE plane = $1 AND lane = $2 AND open_seq IS NOT NULL
                    """,
                    r => (r.GetInt64(0), Convert.ToInt64(r.GetValue(1))),
                    envelope.Plane,
                    envelope.Lane
                );
            var (count, bytes) = _added.GetValueOrDefault(envelope.Lane);
            return (stored.Count + count, stored.Bytes + bytes);
        }

        public void Add(NewEnvelope envelope)
        {
            var (count, bytes) = _added.GetValueOrDefault(envelope.Lane);
            _added[envelope.Lane] = (count + 1, bytes + envelope.Size);
        }
    }
}
