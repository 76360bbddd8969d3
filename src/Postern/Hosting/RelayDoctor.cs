using Postern.Http;
using Postern.Relay.Server;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>What the doctor says of a relay: its planes, whether they are there, and what waits for them.</summary>
internal static class RelayDoctor
{
    /// <summary>Planes that are looked at.</summary>
    private const int Most = 100;

    /// <summary>A backlog that is fuller than this, in percent, is told as a weak spot.</summary>
    private const int NearlyFull = 80;

    /// <summary>A line a plane, and whether it should be looked at; none where the database is no relay's.</summary>
    public static async Task<List<(bool IsWeak, string Words)>> LookAsync(Database database)
    {
        var planes = new RelayPlaneStore(database);
        var found = new List<(bool, string)>();
        foreach (var plane in await planes.ListAsync(null, Most))
        {
            if (plane.RevokedAt is not null)
                continue;
            var state =
                plane.IsHeld(database.Now) ? "connected"
                : plane.SeenAt is { } seen ? $"away since {Wire.Iso(seen)}"
                : "never connected";
            var full = Math.Max(Percent(plane.OpenCount, plane.Envelopes), Percent(plane.OpenBytes, plane.Bytes));
            var oldest = await OldestAsync(database, plane.Plane);
            var words = $"{plane.Name} ({plane.Plane}) is {state}; its backlog is {full} % full";
            if (oldest is { } at)
                words += $", the oldest of {Wire.Iso(at)}";
            found.Add((full >= NearlyFull, words));
        }
        return found;
    }

    private static long Percent(long part, long all) => all == 0 ? 0 : part * 100 / all;

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
