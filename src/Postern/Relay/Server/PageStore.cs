using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// Questions to people, sealed by their planes. A stored version is never replaced by a lower one. A plane's open
/// questions with their bytes, and its ended ones, are counted under the lock of the plane's row, in the transaction
/// that changes them. An ended question is kept for a while, so that a person who opens it late learns how it ended.
/// When there are more than <see cref="MostEnded"/>, the oldest are removed.
/// </summary>
internal sealed class PageStore(Database database)
{
    /// <summary>The most ended questions of one plane that are kept.</summary>
    public const int MostEnded = 10_000;

    /// <summary>The most questions that one transaction removes.</summary>
    private const int Batch = 200;

    /// <summary>The longest time for which a question is open. A later end is cut to it.</summary>
    private const long Longest = 366L * 86_400_000_000;

    /// <summary>Stores a question, or a newer version of it.</summary>
    /// <returns>The version that the relay has now; 0 when it has no room for it.</returns>
    public async Task<long> PutAsync(string plane, PageHead head, byte[] text, long retention)
    {
        // Planes send their questions after each reconnect; a question that is already here costs no write.
        var there = await database.ReadAsync(tx => FindKnownAsync(tx, plane, head.Page));
        if (there is not null && there.Version >= head.Version)
            return there.Version;
        return await database.WriteAsync(async tx =>
        {
            var room = await LockAsync(tx, plane);
            var known = await FindKnownAsync(tx, plane, head.Page);
            if (known is not null && known.Version >= head.Version)
                return known.Version;
            room = room.Without(known).WithOpen(text.Length);
            if (room.Pages > RelayLimits.Pages || room.Bytes > RelayLimits.PageBytes)
                return 0;
            var expires = Math.Min(head.ExpiresAt * 1000, tx.Now + Longest);
            await WriteAsync(tx, plane, head.Page, new StoredPage(head.Version, text, expires, null), retention);
            await CountAsync(tx, plane, room);
            return head.Version;
        });
    }

    /// <summary>Ends a question. Nothing of it is kept when the plane sends no outcome.</summary>
    /// <returns>The version that the relay has now.</returns>
    public Task<long> EndAsync(string plane, PageEndHead head, byte[] text, long retention) =>
        database.WriteAsync(async tx =>
        {
            var room = await LockAsync(tx, plane);
            var known = await FindKnownAsync(tx, plane, head.Page);
            if (known is not null && known.Version >= head.Version)
                return known.Version;
            room = room.Without(known);
            if (text.Length == 0)
                await RemoveAsync(tx, plane, head.Page);
            else
            {
                room = room with { Ended = room.Ended + 1 };
                var ended = new StoredPage(head.Version, text, tx.Now, tx.Now);
                await WriteAsync(tx, plane, head.Page, ended, retention);
            }
            if (room.Ended > MostEnded)
                room = room with { Ended = room.Ended - await RemoveOldestAsync(tx, plane) };
            await CountAsync(tx, plane, room);
            return head.Version;
        });

    public ValueTask<StoredPage?> FindAsync(string plane, string page) =>
        database.ReadAsync(tx => FindAsync(tx, plane, page));

    /// <summary>Returns the number of open questions of a plane, and their bytes.</summary>
    public ValueTask<(long Pages, long Bytes)> OpenAsync(string plane) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT pages, bytes FROM relay_page_room WHERE plane = $1",
                r => (r.GetInt64(0), r.GetInt64(1)),
                plane
            )
        );

    /// <summary>Removes questions whose time is over.</summary>
    public async Task SweepAsync(CancellationToken stop)
    {
        for (var removed = Batch; removed == Batch && !stop.IsCancellationRequested; )
        {
            var old = await database.ReadAsync(tx =>
                tx.ListAsync(
                    $"SELECT plane, page FROM relay_page WHERE remove_at < $1 ORDER BY remove_at LIMIT {Batch}",
                    r => (Plane: r.GetString(0), Page: r.GetString(1)),
                    tx.Now
                )
            );
            foreach (var of in old.GroupBy(o => o.Plane, StringComparer.Ordinal))
                await RemoveAsync(of.Key, [.. of.Select(o => o.Page)], isOld: true);
            removed = old.Count;
        }
    }

    /// <summary>Removes all questions of a plane, because nobody can open them any more.</summary>
    public async Task RemoveAllAsync(string plane)
    {
        List<string> some;
        do
        {
            some = await database.ReadAsync(tx =>
                tx.ListAsync(
                    $"SELECT page FROM relay_page WHERE plane = $1 ORDER BY page LIMIT {Batch}",
                    r => r.GetString(0),
                    plane
                )
            );
            await RemoveAsync(plane, some, isOld: false);
        } while (some.Count == Batch);
    }

    private Task RemoveAsync(string plane, List<string> pages, bool isOld) =>
        database.WriteAsync(async tx =>
        {
            var room = await LockAsync(tx, plane);
            foreach (var page in pages)
            {
                if (isOld && !await IsOldAsync(tx, plane, page))
                    continue;
                room = room.Without(await FindKnownAsync(tx, plane, page));
                await RemoveAsync(tx, plane, page);
            }
            await CountAsync(tx, plane, room);
            return 0;
        });

    private static async ValueTask<bool> IsOldAsync(Tx tx, string plane, string page) =>
        await tx.FirstAsync(
            "SELECT 1 FROM relay_page WHERE plane = $1 AND page = $2 AND remove_at < $3",
            r => r.GetInt64(0),
            plane,
            page,
            tx.Now
        ) == 1;

    private static ValueTask<KnownPage?> FindKnownAsync(Tx tx, string plane, string page) =>
        tx.FirstAsync(
            "SELECT version, size, ended_at FROM relay_page WHERE plane = $1 AND page = $2",
            r => new KnownPage(r.GetInt64(0), r.GetInt64(1), !r.IsDBNull(2)),
            plane,
            page
        );

    private static ValueTask<StoredPage?> FindAsync(Tx tx, string plane, string page) =>
        tx.FirstAsync(
            "SELECT version, sealed, expires_at, ended_at FROM relay_page WHERE plane = $1 AND page = $2",
            r => new StoredPage(r.GetInt64(0), r.Bytes(1), r.GetInt64(2), r.LongOrNull(3)),
            plane,
            page
        );

    private static ValueTask<int> WriteAsync(Tx tx, string plane, string page, StoredPage row, long retention) =>
        tx.ExecuteAsync(
            """
            INSERT INTO relay_page (plane, page, version, sealed, size, expires_at, ended_at, remove_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (plane, page) DO UPDATE
            SET version = excluded.version, sealed = excluded.sealed, size = excluded.size,
              expires_at = excluded.expires_at, ended_at = excluded.ended_at, remove_at = excluded.remove_at
            """,
            plane,
            page,
            row.Version,
            row.Sealed,
            (long)row.Sealed.Length,
            row.ExpiresAt,
            row.EndedAt,
            Math.Max(row.ExpiresAt, tx.Now) + retention
        );

    private static ValueTask<int> RemoveAsync(Tx tx, string plane, string page) =>
        tx.ExecuteAsync("DELETE FROM relay_page WHERE plane = $1 AND page = $2", plane, page);

    private static ValueTask<int> RemoveOldestAsync(Tx tx, string plane) =>
        tx.ExecuteAsync(
            """
            DELETE FROM relay_page
            WHERE plane = $1 AND page IN (
              SELECT page FROM relay_page
              WHERE plane = $1 AND ended_at IS NOT NULL
              ORDER BY ended_at LIMIT 1
            )
            """,
            plane
        );

    /// <summary>The counts of a plane, read under the lock of its row.</summary>
    private static async ValueTask<PageRoom> LockAsync(Tx tx, string plane)
    {
        await tx.ExecuteAsync(
            """
            INSERT INTO relay_page_room (plane, pages, bytes, ended) VALUES ($1, 0, 0, 0)
            ON CONFLICT (plane) DO NOTHING
            """,
            plane
        );
        return (
            await tx.FirstAsync(
                $"SELECT pages, bytes, ended FROM relay_page_room WHERE plane = $1{tx.ForUpdate}",
                r => new PageRoom(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2)),
                plane
            )
        )!;
    }

    private static ValueTask<int> CountAsync(Tx tx, string plane, PageRoom room) =>
        tx.ExecuteAsync(
            "UPDATE relay_page_room SET pages = $2, bytes = $3, ended = $4 WHERE plane = $1",
            plane,
            room.Pages,
            room.Bytes,
            room.Ended
        );

    private sealed record PageRoom(long Pages, long Bytes, long Ended)
    {
        public PageRoom WithOpen(long bytes) => this with { Pages = Pages + 1, Bytes = Bytes + bytes };

        public PageRoom Without(KnownPage? known) =>
            known switch
            {
                null => this,
                { IsEnded: true } => this with { Ended = Ended - 1 },
                _ => this with { Pages = Pages - 1, Bytes = Bytes - known.Size },
            };
    }

    private sealed record KnownPage(long Version, long Size, bool IsEnded);
}
