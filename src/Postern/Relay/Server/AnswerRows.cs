using System.Text.Json;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// The transaction that commits the answers of a plane. An envelope that is gone stays gone. The first answer stays,
/// and a repeat is settled like the first.
/// </summary>
internal static class AnswerRows
{
    public static async ValueTask<List<SettledAnswer>> SettleAsync(
        Tx tx,
        string plane,
        IReadOnlyList<PlaneAnswer> answers
    )
    {
        await RelayPlaneStore.LockAsync(tx, plane);
        var found = (await FindAsync(tx, plane, answers)).ToDictionary(f => f.Seq);
        var (settled, fresh) = (new List<SettledAnswer>(answers.Count), new List<PlaneAnswer>());
        var (gone, networks) = (BacklogChange.None, new HashSet<string>(StringComparer.Ordinal));
        foreach (var answer in answers)
        {
            var head = answer.Head;
            if (!found.TryGetValue(head.Seq, out var envelope) || envelope.Id != head.Id)
            {
                settled.Add(new SettledAnswer(head.Id, head.Seq, EnvelopeState.Deleted));
                continue;
            }
            settled.Add(
                new SettledAnswer(
                    head.Id,
                    head.Seq,
                    envelope.State == EnvelopeState.Stored ? EnvelopeState.Answered : envelope.State
                )
            );
            if (envelope.State != EnvelopeState.Stored)
                continue;
            found[head.Seq] = envelope with { State = EnvelopeState.Answered };
            fresh.Add(answer);
            gone += BacklogChange.Of(envelope.Size, envelope.IsKnown);
            if (envelope.IsSigned && head.Status is >= 200 and < 300)
                networks.Add(envelope.Network);
            tx.Notify(RelayTopics.OfEnvelope(head.Id));
        }
        if (fresh.Count == 0)
            return settled;
        await WriteAsync(tx, plane, fresh);
        await RelayPlaneStore.CountAsync(tx, plane, -gone, 0);
        foreach (var network in networks.Order(StringComparer.Ordinal))
            await KnowAsync(tx, plane, network);
        return settled;
    }

    private static async ValueTask<List<Found>> FindAsync(Tx tx, string plane, IReadOnlyList<PlaneAnswer> answers)
    {
        const string some =
            "SELECT seq, id, state, size, is_known, is_signed, network FROM relay_request WHERE plane = $1 AND ";
        var seqs = answers.Select(a => a.Head.Seq).Distinct().ToArray();
        if (tx.WritesInQueries)
            return await tx.ListAsync(some + "seq = ANY($2)", Map, plane, seqs);
        var found = new List<Found>(seqs.Length);
        foreach (var seq in seqs)
            if (await tx.FirstAsync(some + "seq = $2", Map, plane, seq) is { } one)
                found.Add(one);
        return found;
    }

    private static async ValueTask WriteAsync(Tx tx, string plane, List<PlaneAnswer> answers)
    {
        if (answers.Count > 1 && tx.WritesInQueries)
        {
            await tx.ExecuteAsync(
                """
                UPDATE relay_request
                SET state = 'answered', frame = NULL, open_seq = NULL, ended_at = $2, status = one.status,
                  headers = one.headers, body = one.body
                FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::bytea[]) AS one(seq, status, headers, body)
                WHERE plane = $1 AND relay_request.seq = one.seq AND state = 'stored'
                """,
                plane,
                tx.Now,
                answers.Select(a => a.Head.Seq).ToArray(),
                answers.Select(StatusOf).ToArray(),
                answers.Select(HeadersOf).ToArray(),
                answers.Select(BodyOf).ToArray()
            );
            return;
        }
        foreach (var answer in answers)
            await tx.ExecuteAsync(
                """
                UPDATE relay_request
                SET state = 'answered', frame = NULL, open_seq = NULL, ended_at = $3, status = $4, headers = $5,
                  body = $6
                WHERE plane = $1 AND seq = $2 AND state = 'stored'
                """,
                plane,
                answer.Head.Seq,
                tx.Now,
                StatusOf(answer),
                HeadersOf(answer),
                BodyOf(answer)
            );
    }

    private static ValueTask<int> KnowAsync(Tx tx, string plane, string network) =>
        tx.ExecuteAsync(
            """
            INSERT INTO relay_network (plane, network, until) VALUES ($1, $2, $3)
            ON CONFLICT (plane, network) DO UPDATE SET until = excluded.until WHERE relay_network.until < $4
            """,
            plane,
            network,
            tx.Now + EnvelopeStore.NetworkKnown,
            tx.Now + EnvelopeStore.NetworkFresh
        );

    /// <summary>An answer that cannot be passed on is not stored either: the caller gets 502.</summary>
    private static bool IsFit(PlaneAnswer answer) =>
        answer.Body.Length <= RelayLimits.Answer && answer.Head.Status is >= 200 and <= 599;

    private static long StatusOf(PlaneAnswer answer) => IsFit(answer) ? answer.Head.Status : 0;

    private static string HeadersOf(PlaneAnswer answer) =>
        JsonSerializer.Serialize(IsFit(answer) ? RelayedAnswer.Kept(answer.Head.Headers) : []);

    private static byte[] BodyOf(PlaneAnswer answer) => IsFit(answer) ? answer.Body : [];

    private static Found Map(System.Data.Common.DbDataReader r) =>
        new(r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetInt64(3), r.Flag(4), r.Flag(5), r.GetString(6));

    private sealed record Found(
        long Seq,
        string Id,
        string State,
        long Size,
        bool IsKnown,
        bool IsSigned,
        string Network
    );
}
