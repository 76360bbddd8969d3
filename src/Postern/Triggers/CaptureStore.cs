using Postern.Runs;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>The rows of captures.</summary>
internal sealed class CaptureStore(Database database)
{
    /// <summary>How long a provider's delivery id is remembered.</summary>
    public const long RememberedFor = 24L * 3600 * 1_000_000;

    /// <summary>The number of filtered requests of a trigger whose bodies are kept.</summary>
    public const long FilteredBodies = 20;

    /// <summary>The most captures that one transaction removes.</summary>
    private const int SweptAtOnce = 500;

    public static void Insert(Tx tx, Capture c)
    {
        tx.Count(c.Project, c.Status == Capture.Filtered ? Measure.CapturesFiltered : Measure.CapturesTaken);
        tx.Notify(Topics.Captures(c.Project, c.TriggerUid));
        tx.Queue(
            $"""
            INSERT INTO capture ({Row<Capture>.Columns}) VALUES ({Row<Capture>.Parameters})
            """,
            Row<Capture>.Values(c)
        );
    }

    public static ValueTask<Capture?> FindAsync(Tx tx, string project, string uid, string id) =>
        tx.FirstAsync(
            $"SELECT {Row<Capture>.Columns} FROM capture WHERE project = $1 AND id = $2 AND trigger_uid = $3",
            Row<Capture>.Read,
            project,
            id,
            uid
        );

    public ValueTask<Capture?> FindAsync(string project, string uid, string id) =>
        database.ReadAsync(tx => FindAsync(tx, project, uid, id));

    /// <summary>Returns a capture by its id; <see cref="Capture.TriggerUid"/> names its trigger.</summary>
    public static ValueTask<Capture?> FindAsync(Tx tx, string project, string id) =>
        tx.FirstAsync(
            $"SELECT {Row<Capture>.Columns} FROM capture WHERE project = $1 AND id = $2",
            Row<Capture>.Read,
            project,
            id
        );

    /// <summary>
    /// Remembers a capture under its delivery's name. Returns null for the first capture, else the first one. A second
    /// one at the same time waits for the first one's commit.
    /// </summary>
    public static async ValueTask<string?> RememberAsync(
        Tx tx,
        string project,
        string uid,
        byte[] digest,
        string capture,
        bool passes,
        long rememberedFor
    )
    {
        // An entry that is older than the time for which names are remembered is replaced.
        if (
            await tx.ExecuteAsync(
                """
                INSERT INTO capture_key (project, trigger_uid, digest, capture, at) VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (project, trigger_uid, digest) DO UPDATE SET capture = excluded.capture, at = excluded.at
                WHERE capture_key.at < $6
                """,
                project,
                uid,
                digest,
                capture,
                tx.Now,
                tx.Now - rememberedFor
            ) == 1
        )
            return null;
        if (await FirstOfAsync(tx, project, uid, digest, passes, rememberedFor) is { } first)
            return first;
        // The statement above has locked the row, so nobody else takes its place meanwhile.
        await PointAsync(tx, project, uid, digest, capture);
        return null;
    }

    /// <summary>Changes the capture that is remembered under a name.</summary>
    public static ValueTask<int> PointAsync(Tx tx, string project, string uid, byte[] digest, string capture) =>
        tx.ExecuteAsync(
            "UPDATE capture_key SET capture = $4, at = $5 WHERE project = $1 AND trigger_uid = $2 AND digest = $3",
            project,
            uid,
            digest,
            capture,
            tx.Now
        );

    /// <summary>
    /// Returns the capture that prevents a repeat from starting. A capture that failed before anything started does not
    /// prevent it, nor one that was filtered out when the filter now lets the repeat pass: the operator has corrected
    /// that and sends the request again. Nothing started when there is no session, or when the first attempt of its run
    /// was never handed to its agent.
    /// </summary>
    public static ValueTask<string?> FirstOfAsync(
        Tx tx,
        string project,
        string uid,
        byte[] digest,
        bool passes,
        long rememberedFor
    ) =>
        tx.FirstAsync(
            $"""
            SELECT k.capture
              FROM capture_key k
              LEFT JOIN capture c ON c.project = k.project AND c.id = k.capture
             WHERE k.project = $1 AND k.trigger_uid = $2 AND k.digest = $3 AND k.at >= $4
               AND NOT (COALESCE(c.status, '') = 'filtered' AND $5 = 1)
               AND NOT (COALESCE(c.status, '') = 'failed'
                        AND (c.session IS NULL
                             OR COALESCE(c.reason, '') = 'dispatch_failed'
                                AND {RunStore.IsInFirstAttempt("c.project", "c.run")}
                             OR COALESCE(c.reason, '') <> 'cancelled'
                                AND {RunStore.WasNeverHandedOver("c.project", "c.run")}))
            """,
            r => r.GetString(0),
            project,
            uid,
            digest,
            tx.Now - rememberedFor,
            passes ? 1L : 0L
        );

    /// <summary>
    /// Only the newest filtered requests keep their bodies: enough to correct a filter, and too few to fill the disk.
    /// </summary>
    public static async ValueTask ForgetFilteredBodiesAsync(Tx tx, string project, string uid)
    {
        if (
            await tx.FirstAsync<(long At, string Id)?>(
                """
                SELECT at, id
                FROM capture
                WHERE project = $1 AND trigger_uid = $2 AND status = 'filtered' AND body IS NOT NULL
                ORDER BY at DESC, id DESC LIMIT 1 OFFSET $3
                """,
                r => (r.GetInt64(0), r.GetString(1)),
                project,
                uid,
                FilteredBodies
            )
            is not { } last
        )
            return;
        await tx.ExecuteAsync(
            """
            UPDATE capture
            SET body = NULL
            WHERE project = $1 AND trigger_uid = $2 AND status = 'filtered' AND body IS NOT NULL
              AND (at, id) <= ($3, $4)
            """,
            project,
            uid,
            last.At,
            last.Id
        );
    }

    /// <summary>Records that the turn that answers them has begun.</summary>
    public static ValueTask BeginAsync(Tx tx, string project, string session, long inSeq) =>
        ChangeAsync(
            tx,
            project,
            """
            UPDATE capture
            SET status = 'inprogress', started_at = $4
            WHERE project = $1 AND session = $2 AND in_seq <= $3 AND ended_at IS NULL AND status = 'captured'
            """,
            project,
            session,
            inSeq,
            tx.Now
        );

    /// <summary>Changes captures, and announces it to their listeners.</summary>
    private static async ValueTask ChangeAsync(Tx tx, string project, string update, params object?[] args)
    {
        var of = await tx.ListAsync(update + " RETURNING trigger_uid", r => r.GetString(0), args);
        foreach (var uid in of.Distinct(StringComparer.Ordinal))
            tx.Notify(Topics.Captures(project, uid));
    }

    /// <summary>Records that their work has ended; their places are free. The caller holds the session's row.</summary>
    public static async ValueTask SettleAsync(
        Tx tx,
        string project,
        string session,
        long inSeq,
        string status,
        string? reason,
        string? error
    )
    {
        var freed = await tx.ListAsync(
            """
            UPDATE capture
            SET status = $4, reason = COALESCE($5, reason), error = $6, ended_at = $7,
              started_at = COALESCE(started_at, $7)
            WHERE project = $1 AND session = $2 AND in_seq <= $3 AND ended_at IS NULL RETURNING trigger_uid
            """,
            r => r.GetString(0),
            project,
            session,
            inSeq,
            status,
            reason,
            error,
            tx.Now
        );
        if (freed.Count > 0)
            tx.Count(
                project,
                status == Capture.Success ? Measure.CapturesSucceeded : Measure.CapturesFailed,
                freed.Count
            );
        foreach (var uid in freed.GroupBy(u => u, StringComparer.Ordinal))
        {
            tx.Notify(Topics.Captures(project, uid.Key));
            await TriggerStore.FreeAsync(tx, project, uid.Key, uid.Count());
        }
    }

    /// <summary>Records that another run has the session now, and so the unfinished captures.</summary>
    public static void Follow(Tx tx, string project, string session, string run) =>
        tx.Queue(
            "UPDATE capture SET run = $3 WHERE project = $1 AND session = $2 AND in_seq >= 0 AND ended_at IS NULL",
            project,
            session,
            run
        );

    /// <summary>Returns the newest capture that the open turn of a session answers.</summary>
    public ValueTask<Capture?> OfTurnAsync(string project, string session, long inSeq) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                $"""
                SELECT {Row<Capture>.Columns}
                FROM capture
                WHERE project = $1 AND session = $2 AND in_seq <= $3 AND ended_at IS NULL
                ORDER BY in_seq DESC LIMIT 1
                """,
                Row<Capture>.Read,
                project,
                session,
                inSeq
            )
        );

    /// <summary>Returns a page, newest first.</summary>
    public ValueTask<List<Capture>> ListAsync(
        string project,
        string uid,
        string? status,
        long beforeAt,
        string beforeId,
        int limit
    ) =>
        database.SearchAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Row<Capture>.Columns} FROM capture
                WHERE project = $1 AND trigger_uid = $2 AND ($3 = '' OR status = $3) AND (at, id) < ($4, $5)
                ORDER BY at DESC, id DESC LIMIT $6
                """,
                Row<Capture>.Read,
                project,
                uid,
                status ?? "",
                beforeAt,
                beforeId,
                (long)limit
            )
        );

    /// <summary>
    /// Returns unfinished captures from before an instant, the oldest first, without their large parts.
    /// </summary>
    public static ValueTask<List<OpenCapture>> OpenAsync(Tx tx, string project, long before, int limit) =>
        tx.ListAsync(
            """
            SELECT id, trigger_uid, at, session, in_seq, run
            FROM capture
            WHERE project = $1 AND ended_at IS NULL AND at <= $2
            ORDER BY at, id LIMIT $3
            """,
            r => new OpenCapture(
                r.GetString(0),
                r.GetString(1),
                r.GetInt64(2),
                r.TextOrNull(3),
                r.LongOrNull(4),
                r.TextOrNull(5)
            ),
            project,
            before,
            (long)limit
        );

    /// <summary>Returns how long the newest successful captures of a trigger took, in microseconds.</summary>
    public static ValueTask<List<long>> TookAsync(Tx tx, string project, string uid, int limit) =>
        tx.ListAsync(
            """
            SELECT ended_at - at
            FROM capture
            WHERE project = $1 AND trigger_uid = $2 AND status = 'success'
            ORDER BY ended_at DESC LIMIT $3
            """,
            r => r.GetInt64(0),
            project,
            uid,
            (long)limit
        );

    /// <summary>
    /// Applies the retention to one trigger: its newest ended captures stay, and all unfinished ones.
    /// </summary>
    /// <returns>The number of removed captures.</returns>
    public async Task<int> SweepAsync(string project, string uid, int keep, CancellationToken stop = default)
    {
        var (removed, some) = (0, SweptAtOnce);
        while (some == SweptAtOnce && !stop.IsCancellationRequested)
            removed += some = await SweepSomeAsync(project, uid, keep);
        return removed;
    }

    private Task<int> SweepSomeAsync(string project, string uid, int keep) =>
        database.WriteAsync(async tx =>
        {
            if (
                await tx.FirstAsync<(long At, string Id)?>(
                    """
                    SELECT at, id
                    FROM capture
                    WHERE project = $1 AND trigger_uid = $2 AND ended_at IS NOT NULL
                    ORDER BY at DESC, id DESC LIMIT 1 OFFSET $3
                    """,
                    r => (r.GetInt64(0), r.GetString(1)),
                    project,
                    uid,
                    (long)keep
                )
                is not { } last
            )
                return 0;
            return await tx.ExecuteAsync(
                $"""
                DELETE FROM capture WHERE (project, id) IN (
                  SELECT project, id FROM capture
                  WHERE project = $1 AND trigger_uid = $2 AND ended_at IS NOT NULL AND (at, id) <= ($3, $4)
                  LIMIT {SweptAtOnce}{tx.ForUpdateSkipLocked})
                """,
                project,
                uid,
                last.At,
                last.Id
            );
        });

    public Task<int> ForgetKeysAsync(int limit, long rememberedFor = RememberedFor) =>
        database.WriteAsync(async tx =>
            await tx.ExecuteAsync(
                $"""
                DELETE FROM capture_key WHERE (project, trigger_uid, digest) IN (
                  SELECT project, trigger_uid, digest FROM capture_key
                  WHERE at < $1 LIMIT {limit}{tx.ForUpdateSkipLocked})
                """,
                tx.Now - rememberedFor
            )
        );
}
