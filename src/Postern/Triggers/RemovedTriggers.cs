using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// Deleted triggers whose captures still have to be removed. A trigger may have any number of captures, so they are
/// not removed with it but afterwards, some at a time. Nothing shows them meanwhile, because a capture is found by its
/// trigger. The names of their deliveries are forgotten like all others, after their time.
/// </summary>
internal sealed class RemovedTriggers(Database database)
{
    /// <summary>The most captures that one transaction removes.</summary>
    public const int Batch = 500;

    /// <summary>
    /// How long a deleted trigger is remembered at least, in microseconds: a request that found it before may still
    /// write a capture.
    /// </summary>
    private const long Kept = 3_600_000_000;

    public static void Add(Tx tx, Trigger t) =>
        tx.Queue("INSERT INTO removed_trigger (project, uid, at) VALUES ($1, $2, $3)", t.Project, t.Uid, tx.Now);

    /// <summary>Removes the captures of all deleted triggers, until none is left or it is stopped.</summary>
    /// <param name="stop">Ends it between two batches.</param>
    /// <param name="kept">How long a trigger is remembered at least, in microseconds.</param>
    public async Task RemoveCapturesAsync(CancellationToken stop, long kept = Kept)
    {
        for (var last = ("", ""); !stop.IsCancellationRequested; )
        {
            if (await NextAsync(last) is not { } next)
                return;
            while (await RemoveSomeAsync(next.Project, next.Uid, kept) == Batch && !stop.IsCancellationRequested) { }
            last = next;
        }
    }

    private ValueTask<(string Project, string Uid)?> NextAsync((string Project, string Uid) last) =>
        database.ReadAsync(tx =>
            tx.FirstAsync<(string, string)?>(
                """
                SELECT project, uid FROM removed_trigger
                WHERE (project, uid) > ($1, $2) ORDER BY project, uid LIMIT 1
                """,
                r => (r.GetString(0), r.GetString(1)),
                last.Project,
                last.Uid
            )
        );

    private Task<int> RemoveSomeAsync(string project, string uid, long kept) =>
        database.WriteAsync(async tx =>
        {
            var removed = await tx.ExecuteAsync(
                $"""
                DELETE FROM capture WHERE (project, id) IN (
                  SELECT project, id FROM capture
                  WHERE project = $1 AND trigger_uid = $2 LIMIT {Batch}{tx.ForUpdateSkipLocked})
                """,
                project,
                uid
            );
            if (removed < Batch)
                await tx.ExecuteAsync(
                    """
                    DELETE FROM removed_trigger
                    WHERE project = $1 AND uid = $2 AND at < $3
                      AND NOT EXISTS (SELECT 1 FROM capture WHERE project = $1 AND trigger_uid = $2)
                    """,
                    project,
                    uid,
                    tx.Now - kept
                );
            return removed;
        });
}
