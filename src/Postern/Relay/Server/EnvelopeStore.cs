using System.Text.Json;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// Stored requests. An envelope is on disk before its sender is told so and before a plane sees it. Its frame is made
/// once, in the transaction that gives it its number, and never changes. Its first answer stays. Its bytes are removed
/// when it is answered, its row when the time of its receipt is over.
/// </summary>
internal sealed class EnvelopeStore(Database database, RelayIdentity identity)
{
    /// <summary>How long a network stays known after the plane has accepted a request from it.</summary>
    public const long NetworkKnown = 30 * 86_400_000_000L;

    /// <summary>A network that became known less than this time ago is not written again.</summary>
    public const long NetworkFresh = NetworkKnown - 86_400_000_000L;

    /// <summary>The most envelopes that one transaction ends.</summary>
    public const int Batch = 200;

    private const string AnswerColumns = "id, state, received_at, ended_at, status, headers, body";
    private readonly ArrivalQueue _arrivals = new(database, identity);

    /// <summary>Stores a request, together with others of its plane that come at the same time.</summary>
    /// <param name="envelope">What came.</param>
    /// <param name="retention">Microseconds that it waits for an answer at most.</param>
    public Task<StoreOutcome> StoreAsync(NewEnvelope envelope, long retention) =>
        _arrivals.StoreAsync(envelope, retention);

    /// <summary>Returns the state of an envelope, or null when its time is over.</summary>
    public ValueTask<StoredAnswer?> AnswerAsync(string plane, long seq) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                $"SELECT {AnswerColumns} FROM relay_request WHERE plane = $1 AND seq = $2",
                MapAnswer,
                plane,
                seq
            )
        );

    /// <summary>Finds an envelope by the digest of its receipt's token.</summary>
    public ValueTask<(string Plane, long Seq)?> FindAsync(byte[] receipt) =>
        database.ReadAsync(tx =>
            tx.FirstAsync<(string, long)?>(
                "SELECT plane, seq FROM relay_request WHERE receipt = $1",
                r => (r.GetString(0), r.GetInt64(1)),
                receipt
            )
        );

    /// <summary>Commits answers of a plane in one transaction.</summary>
    public Task<List<SettledAnswer>> SettleAsync(string plane, IReadOnlyList<PlaneAnswer> answers) =>
        database.WriteAsync(tx => AnswerRows.SettleAsync(tx, plane, answers));

    /// <summary>Ends waiting envelopes; those of one plane that end together share a transaction.</summary>
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
            var gone = BacklogChange.None;
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
                gone += BacklogChange.Of(size, isKnown);
                tx.Notify(RelayTopics.OfEnvelope(id));
            }
            if (due.Count == 0)
                return 0;
            await RelayPlaneStore.CountAsync(tx, plane, -gone, 0);
            tx.Notify(RelayTopics.Of(plane));
            return due.Count;
        });

    /// <summary>Ends all waiting envelopes with a lower number, because nobody can open them any more.</summary>
    public async Task DeleteAsync(string plane, long below)
    {
        while (await EndAsync(plane, EnvelopeState.Deleted, long.MaxValue, below, Batch) == Batch) { }
    }

    /// <summary>Returns planes with expired envelopes, those with the oldest first.</summary>
    /// <param name="except">Planes to leave out.</param>
    /// <param name="limit">The most envelopes that are read.</param>
    public ValueTask<List<string>> OverdueAsync(IReadOnlyCollection<string> except, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT DISTINCT plane
                FROM (
                  SELECT plane FROM relay_request
                  WHERE open_seq IS NOT NULL AND expires_at <= $1 AND NOT ({tx.IsAnyOf("plane", "$3")})
                  ORDER BY expires_at LIMIT $2
                ) AS due
                """,
                r => r.GetString(0),
                tx.Now,
                limit,
                JsonSerializer.Serialize(except)
            )
        );

    /// <summary>Returns the waiting envelopes behind a number, in their order, without their bytes.</summary>
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

    /// <summary>Returns the bytes to send, or null when the envelope no longer waits.</summary>
    public ValueTask<byte[]?> FrameAsync(string plane, long seq) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT frame FROM relay_request WHERE plane = $1 AND seq = $2 AND state = 'stored'",
                r => r.BytesOrNull(0),
                plane,
                seq
            )
        );

    /// <summary>Returns envelopes that are gone and of which the plane was not told.</summary>
    public ValueTask<List<SettledAnswer>> GoneAsync(string plane, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                "SELECT id, seq, state FROM relay_request WHERE plane = $1 AND told = 0 ORDER BY seq LIMIT $2",
                r => new SettledAnswer(r.GetString(0), r.GetInt64(1), r.GetString(2)),
                plane,
                limit
            )
        );

    public Task MarkReportedAsync(string plane, IReadOnlyList<long> seqs) =>
        database.WriteAsync(async tx =>
        {
            foreach (var seq in seqs)
                await tx.ExecuteAsync("UPDATE relay_request SET told = 1 WHERE plane = $1 AND seq = $2", plane, seq);
            return seqs.Count;
        });

    /// <summary>Returns the smallest waiting number and its arrival; null when none waits.</summary>
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

    /// <summary>Returns when the waiting envelope that expires first had arrived; null when none waits.</summary>
    public ValueTask<long?> OldestOfAllAsync() =>
        database.ReadAsync(tx =>
            tx.FirstAsync<long?>(
                "SELECT received_at FROM relay_request WHERE open_seq IS NOT NULL ORDER BY expires_at LIMIT 1",
                r => r.GetInt64(0)
            )
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
