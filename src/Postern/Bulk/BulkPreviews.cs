using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>
/// The results of previews, kept until the start or for <see cref="GoodFor"/>. A job affects only the things that its
/// preview found.
/// </summary>
internal sealed class BulkPreviews(Database database)
{
    /// <summary>How long a mark is valid: 15 minutes, in microseconds.</summary>
    public const long GoodFor = 900_000_000;

    /// <summary>The most previews of a project that are kept: the newest.</summary>
    public const int MostKept = 100;

    /// <summary>Stores a result. Returns the mark.</summary>
    public Task<string> KeepAsync(string project, BulkAsk ask, IReadOnlyList<string> ids, long at)
    {
        var mark = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(24));
        var items = JsonSerializer.Serialize(ids);
        return database.WriteAsync(async tx =>
        {
            await tx.ExecuteAsync(
                """
                INSERT INTO bulk_preview (project, mark, action, filter, items, matched, at)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                """,
                project,
                DigestOf(mark),
                ask.Action.Name,
                ask.Filter.ToString(),
                items,
                (long)ids.Count,
                at
            );
            await tx.ExecuteAsync(
                $"""
                DELETE FROM bulk_preview WHERE (project, mark) IN (
                  SELECT project, mark FROM bulk_preview WHERE project = $1
                  ORDER BY at DESC, mark DESC LIMIT 1000 OFFSET $2{tx.ForUpdateSkipLocked})
                """,
                project,
                (long)MostKept
            );
            return mark;
        });
    }

    /// <summary>Returns what the preview of a mark found, and when, if the request is the same; else null.</summary>
    public ValueTask<(string Items, long Matched, long At)?> FindAsync(string project, BulkAsk ask, string mark) =>
        database.ReadAsync(tx =>
            tx.FirstAsync<(string, long, long)?>(
                """
                SELECT items, matched, at FROM bulk_preview
                WHERE project = $1 AND mark = $2 AND action = $3 AND filter = $4 AND at > $5
                """,
                r => (r.GetString(0), r.GetInt64(1), r.GetInt64(2)),
                project,
                DigestOf(mark),
                ask.Action.Name,
                ask.Filter.ToString(),
                tx.Now - GoodFor
            )
        );

    /// <summary>
    /// Only the digest of a mark is stored, so that a reader of the database cannot start a previewed job.
    /// </summary>
    public static byte[] DigestOf(string mark) => SHA256.HashData(Encoding.UTF8.GetBytes(mark));

    public Task RemoveOldAsync(CancellationToken stop) =>
        OldRows.RemoveAsync(database, "bulk_preview", "project, mark", "at", database.Now - GoodFor, stop);
}
