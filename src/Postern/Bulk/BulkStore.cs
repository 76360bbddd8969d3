using Postern.Access;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>The rows of jobs. A node works on a job under a lease with a fencing number.</summary>
internal sealed class BulkStore(Database database)
{
    /// <summary>The most jobs of a project that may run at the same time.</summary>
    public const int MaxRunning = 2;

    /// <summary>After how many items the watchers of a job are told.</summary>
    private const int ToldEach = 10;

    /// <summary>
    /// Starts a job, in a transaction that holds the project's row. The same mark returns the job that it started
    /// first. Returns null when too many jobs run.
    /// </summary>
    public static async ValueTask<BulkJob?> StartAsync(Tx tx, BulkJob job, byte[] mark)
    {
        if (await FindAsync(tx, job.Project, mark) is { } first)
            return first;
        var running = await tx.FirstAsync(
            "SELECT COUNT(*) FROM bulk_job WHERE project = $1 AND ended_at IS NULL",
            r => r.GetInt64(0),
            job.Project
        );
        if (running >= MaxRunning)
            return null;
        await BulkRow.InsertAsync(tx, job, mark);
        await tx.ExecuteAsync("DELETE FROM bulk_preview WHERE project = $1 AND mark = $2", job.Project, mark);
        tx.Notify(Topics.Bulk);
        return job with { CreatedAt = tx.Now, MovedAt = tx.Now };
    }

    /// <summary>Returns the job that a mark started.</summary>
    public static ValueTask<BulkJob?> FindAsync(Tx tx, string project, byte[] mark) =>
        tx.FirstAsync(
            $"SELECT {BulkRow.WithoutItems} FROM bulk_job WHERE project = $1 AND mark = $2",
            BulkRow.Map,
            project,
            mark
        );

    /// <summary>Returns whether there is a job that no node holds.</summary>
    public ValueTask<bool> HasDueAsync() =>
        database.ReadAsync(async tx =>
            await tx.FirstAsync(
                """
                SELECT 1 FROM bulk_job
                WHERE (ended_at IS NULL OR waits_until IS NOT NULL) AND lease_until <= $1 LIMIT 1
                """,
                r => r.GetInt64(0),
                tx.Now
            ) == 1
        );

    /// <summary>Claims jobs without a holder, those that have waited longest first, each with its items.</summary>
    public Task<List<BulkJob>> ClaimAsync(int limit, TimeSpan lease) =>
        database.WriteAsync(tx =>
            tx.ListAsync(
                $"""
                UPDATE bulk_job SET lease_until = $2, lease_no = lease_no + 1
                WHERE (project, id) IN (
                  SELECT project, id FROM bulk_job
                  WHERE (ended_at IS NULL OR waits_until IS NOT NULL) AND lease_until <= $1
                  ORDER BY lease_until LIMIT $3{tx.ForUpdateSkipLocked})
                RETURNING {BulkRow.WithItems}
                """,
                BulkRow.Map,
                tx.Now,
                tx.Now + (long)lease.TotalMicroseconds,
                (long)limit
            )
        );

    /// <summary>
    /// Releases all leases at the start on a database that only this process uses: their holder is a process that has
    /// ended.
    /// </summary>
    public Task<int> ReleaseAllAsync() =>
        database.WriteAsync(async tx =>
            await tx.ExecuteAsync(
                """
                UPDATE bulk_job SET lease_until = 0
                WHERE (ended_at IS NULL OR waits_until IS NOT NULL) AND lease_until > 0
                """
            )
        );

    /// <summary>
    /// Records the outcome of the item at <paramref name="place"/>, in the transaction of its effect, and renews the
    /// lease.
    /// </summary>
    /// <param name="skip">Why the item was left as it is; null when it was done.</param>
    /// <exception cref="LeaseLostException">Nothing of the transaction may stay.</exception>
    public static async ValueTask RecordAsync(Tx tx, BulkItem item, long place, Skip? skip, TimeSpan lease)
    {
        var job = item.Job;
        if (
            await tx.ExecuteAsync(
                """
                UPDATE bulk_job SET place = place + 1, done = done + $5, skipped = skipped + $6, moved_at = $7,
                  lease_until = $8
                WHERE project = $1 AND id = $2 AND lease_no = $3 AND place = $4 AND ended_at IS NULL
                """,
                job.Project,
                job.Id,
                job.LeaseNo,
                place,
                skip is null ? 1L : 0L,
                skip is null ? 0L : 1L,
                tx.Now,
                tx.Now + (long)lease.TotalMicroseconds
            ) != 1
        )
            throw new LeaseLostException();
        if (skip is not null)
            await tx.ExecuteAsync(
                "INSERT INTO bulk_skip (project, job, place, item, code, words) VALUES ($1, $2, $3, $4, $5, $6)",
                job.Project,
                job.Id,
                place,
                item.Id,
                skip.Code,
                skip.Message
            );
        if (place % ToldEach == 0)
            tx.Notify(job.Id);
    }

    /// <summary>Releases a job for another node; no effect when the lease was lost.</summary>
    public Task<int> LeaveAsync(BulkJob job, TimeSpan wait = default) =>
        database.WriteAsync(tx =>
        {
            tx.Notify(job.Id);
            return tx.ExecuteAsync(
                "UPDATE bulk_job SET lease_until = $4 WHERE project = $1 AND id = $2 AND lease_no = $3",
                job.Project,
                job.Id,
                job.LeaseNo,
                tx.Now + (long)wait.TotalMicroseconds
            );
        });

    /// <summary>Ends the job; no effect when the lease was lost.</summary>
    /// <param name="job">As it was claimed.</param>
    /// <param name="status">How.</param>
    /// <param name="why">Why it was stopped; null when it is done.</param>
    /// <param name="waits">How long arrivals of its deliveries are counted; null: not at all.</param>
    public Task<int> EndAsync(BulkJob job, string status, string? why, TimeSpan? waits) =>
        database.WriteAsync(tx =>
        {
            tx.Notify(job.Id);
            return tx.ExecuteAsync(
                $"""
                UPDATE bulk_job SET lease_until = $6, status = $4, stopped_because = $5, ended_at = $6,
                  waits_until = $7{(waits is null ? ", items = '[]'" : "")}
                WHERE project = $1 AND id = $2 AND lease_no = $3 AND ended_at IS NULL
                """,
                job.Project,
                job.Id,
                job.LeaseNo,
                status,
                why,
                tx.Now,
                waits is { } span ? tx.Now + (long)span.TotalMicroseconds : null
            );
        });

    /// <summary>Stores how many have arrived; with <paramref name="isOver"/> no further ones are expected.</summary>
    public Task<int> ArrivedAsync(BulkJob job, long arrived, bool isOver, TimeSpan wait) =>
        database.WriteAsync(tx =>
        {
            if (isOver || arrived > job.ArrivedCount)
                tx.Notify(job.Id);
            return tx.ExecuteAsync(
                $"""
                UPDATE bulk_job SET arrived = $4, lease_until = $5{(isOver ? ", waits_until = NULL, items = '[]'" : "")}
                WHERE project = $1 AND id = $2 AND lease_no = $3
                """,
                job.Project,
                job.Id,
                job.LeaseNo,
                arrived,
                tx.Now + (long)wait.TotalMicroseconds
            );
        });

    /// <summary>
    /// Stops a job: the present item is done or not, and no later one is. No effect when the job has ended.
    /// </summary>
    public static ValueTask<int> StopAsync(Tx tx, string project, string id, string why)
    {
        tx.Notify(id);
        return tx.ExecuteAsync(
            """
            UPDATE bulk_job SET status = 'stopped', stopped_because = $3, ended_at = $4, lease_no = lease_no + 1,
              items = '[]'
            WHERE project = $1 AND id = $2 AND ended_at IS NULL
            """,
            project,
            id,
            why,
            tx.Now
        );
    }

    public ValueTask<BulkJob?> FindAsync(string project, string id) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                $"SELECT {BulkRow.WithoutItems} FROM bulk_job WHERE project = $1 AND id = $2",
                BulkRow.Map,
                project,
                id
            )
        );

    /// <summary>Returns jobs by the beginning of their ids.</summary>
    public ValueTask<List<BulkJob>> BeginningWithAsync(string project, string text, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {BulkRow.WithoutItems} FROM bulk_job
                WHERE project = $1 AND id >= $2 AND id < $3
                ORDER BY id LIMIT $4
                """,
                BulkRow.Map,
                project,
                text,
                text + "~",
                (long)limit
            )
        );

    /// <summary>Returns jobs, newest first.</summary>
    public ValueTask<List<BulkJob>> ListAsync(string project, string? before, int limit) =>
        database.SearchAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {BulkRow.WithoutItems} FROM bulk_job WHERE project = $1 AND id < $2 ORDER BY id DESC LIMIT $3
                """,
                BulkRow.Map,
                project,
                before ?? "~",
                (long)limit
            )
        );

    /// <summary>Counts the skipped items by reason, the most frequent first, each with the first item.</summary>
    public ValueTask<List<SkipCount>> SkippedAsync(string project, string id) =>
        database.SearchAsync(tx =>
            tx.ListAsync(
                """
                SELECT code, words, COUNT(*), MIN(item) FROM bulk_skip WHERE project = $1 AND job = $2
                GROUP BY code, words ORDER BY COUNT(*) DESC, code, words LIMIT 50
                """,
                r => new SkipCount(new Skip(r.GetString(0), r.GetString(1)), r.GetInt64(2), r.GetString(3)),
                project,
                id
            )
        );

    /// <summary>Removes one old job with its skipped items. Returns false when none is old enough.</summary>
    public Task<bool> RemoveOneAsync(long before) =>
        database.WriteAsync(async tx =>
        {
            var old = await tx.FirstAsync<(string Project, string Id)?>(
                $"SELECT project, id FROM bulk_job WHERE ended_at < $1 LIMIT 1{tx.ForUpdateSkipLocked}",
                r => (r.GetString(0), r.GetString(1)),
                before
            );
            if (old is not { } job)
                return false;
            await tx.ExecuteAsync("DELETE FROM bulk_skip WHERE project = $1 AND job = $2", job.Project, job.Id);
            await tx.ExecuteAsync("DELETE FROM bulk_job WHERE project = $1 AND id = $2", job.Project, job.Id);
            return true;
        });
}
