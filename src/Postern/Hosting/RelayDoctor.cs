using Postern.Http;
using Postern.Relay.Protocol;
using Postern.Relay.Server;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// The doctor's lines about a relay: its planes, whether they are connected, and what waits for them.
/// </summary>
internal static class RelayDoctor
{
    /// <summary>The most planes that are checked.</summary>
    private const int Most = 100;

    /// <summary>A backlog that is fuller than this percentage is reported as a weak spot.</summary>
    private const int NearlyFull = 80;

    /// <summary>A relay with fewer free bytes on its disk is reported as a weak spot.</summary>
    private const long LittleRoom = 1024L * 1024 * 1024;

    /// <summary>
    /// Returns a line for each plane, and whether it is a weak spot; none when the database is no relay's.
    /// </summary>
    public static async Task<List<(bool IsWeak, string Description)>> CheckAsync(
        Database database,
        PosternOptions options
    )
    {
        var planes = new RelayPlaneStore(database);
        var found = new List<(bool, string)>();
        var all = await planes.ListAsync(null, Most);
        if (all.Count == 0)
            return found;
        found.Add(
            options.PublicUrl.Length > 0
                ? (false, $"codes and receipts name {options.PublicUrl}")
                : (true, "codes and receipts name the address that it listens on: set Postern:PublicUrl")
        );
        if (await database.RoomAsync() is { FreeBytes: { } free })
        {
            var mayCome = all.Where(p => p.RevokedAt is null).Sum(p => Math.Max(0, p.Bytes - p.OpenBytes));
            found.Add(
                (
                    free < LittleRoom || free < mayCome,
                    $"{free >> 20} MiB are free on its disk; its planes may have {mayCome >> 20} MiB more stored"
                )
            );
        }
        foreach (var plane in all)
        {
            if (plane.RevokedAt is not null)
                continue;
            var state =
                plane.IsHeld(database.Now) ? "connected"
                : plane.SeenAt is { } seen ? $"away since {Wire.Iso(seen)}"
                : "never connected";
            var full = plane.Quota.Percent(plane.Backlog(null));
            var oldest = await OldestAsync(database, plane.Plane);
            var description = $"{plane.Name} ({plane.Plane}) is {state}; its backlog is {full} % full";
            if (oldest is { } at)
                description += $", the oldest of {Wire.Iso(at)}";
            found.Add((full >= NearlyFull, description));
            if (await new PageStore(database).OpenAsync(plane.Plane) is { Pages: > 0 } open)
                found.Add(OfPages(plane, open));
        }
        return found;
    }

    /// <summary>Questions to people have their own quota. A plane sends again what does not fit.</summary>
    private static (bool IsWeak, string Description) OfPages(RelayPlane plane, (long Pages, long Bytes) open)
    {
        var full = Math.Max(open.Pages * 100 / RelayLimits.Pages, open.Bytes * 100 / RelayLimits.PageBytes);
        return (full >= NearlyFull, $"{plane.Name} ({plane.Plane}) asks people {open.Pages} questions, {full} % full");
    }

    private static ValueTask<long?> OldestAsync(Database database, string plane) =>
        database.ReadAsync(tx =>
            tx.FirstAsync<long?>(
                """
                SELECT received_at FROM relay_request
                WHERE plane = $1 AND open_seq > 0 ORDER BY open_seq LIMIT 1
                """,
                r => r.GetInt64(0),
                plane
            )
        );
}
