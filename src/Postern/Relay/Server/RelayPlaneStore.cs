using System.Data.Common;
using Postern.Access;
using Postern.Http;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>The rows of planes: their identity, their limits, and which connection holds them.</summary>
internal sealed class RelayPlaneStore(Database database)
{
    /// <summary>How long a connection holds a plane without renewing.</summary>
    public const long Lease = 15_000_000;

    /// <summary>How long a plane's old key may sign after a rotation.</summary>
    public const long OldKeySigns = 86_400_000_000;

    private const string Columns = """
        plane, name, sign_key, open_key, old_sign_key, old_sign_until, envelopes, bytes, next_seq, open_count,
        open_bytes, unknown_count, unknown_bytes, doors_version, holder, holder_until, held_at, created_at, seen_at,
        revoked_at
        """;

    public long Now => database.Now;

    public ValueTask<RelayPlane?> FindAsync(string plane) => database.ReadAsync(tx => FindAsync(tx, plane));

    public static ValueTask<RelayPlane?> FindAsync(Tx tx, string plane) =>
        tx.FirstAsync($"SELECT {Columns} FROM relay_plane WHERE plane = $1", Map, plane);

    /// <summary>Returns the plane, and whether it knows a network.</summary>
    public ValueTask<(RelayPlane? Plane, bool IsKnown)> FindAsync(string plane, string network) =>
        database.ReadAsync(async tx =>
            (
                await FindAsync(tx, plane),
                await tx.FirstAsync(
                    "SELECT until FROM relay_network WHERE plane = $1 AND network = $2",
                    r => r.GetInt64(0),
                    plane,
                    network
                ) > tx.Now
            )
        );

    /// <summary>Returns the plane under its lock. Every change of a plane's data holds this lock.</summary>
    public static ValueTask<RelayPlane?> LockAsync(Tx tx, string plane) =>
        tx.FirstAsync($"SELECT {Columns} FROM relay_plane WHERE plane = $1{tx.ForUpdate}", Map, plane);

    public ValueTask<List<RelayPlane>> ListAsync(Cursor? after, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Columns} FROM relay_plane
                WHERE (created_at, plane) < ($1, $2)
                ORDER BY created_at DESC, plane DESC LIMIT $3
                """,
                Map,
                after?.At ?? long.MaxValue,
                after?.Id ?? "",
                limit
            )
        );

    public static ValueTask<int> InsertAsync(Tx tx, string plane, JoinRelay join, RelayCode code) =>
        tx.ExecuteAsync(
            """
            INSERT INTO relay_plane
              (plane, name, sign_key, open_key, envelopes, bytes, next_seq, open_count, open_bytes, unknown_count,
               unknown_bytes, doors_version, holder_until, held_at, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, 1, 0, 0, 0, 0, 0, 0, 0, $7)
            """,
            plane,
            code.Name,
            join.Sign,
            join.Open,
            code.Envelopes,
            code.Bytes,
            tx.Now
        );

    /// <summary>Changes the keys. The old one signs for a while, or no longer when it was lost.</summary>
    public static ValueTask<int> SetKeysAsync(Tx tx, RelayPlane plane, string sign, string open, bool isLost) =>
        tx.ExecuteAsync(
            """
            UPDATE relay_plane
            SET sign_key = $2, open_key = $3, old_sign_key = $4, old_sign_until = $5
            WHERE plane = $1 AND revoked_at IS NULL
            """,
            plane.Plane,
            sign,
            open,
            isLost ? null : plane.SignKey,
            isLost ? null : tx.Now + OldKeySigns
        );

    /// <summary>Changes the limits of the backlog. Returns false when there is no such plane.</summary>
    public Task<bool> SetQuotaAsync(string plane, long? envelopes, long? bytes, AuditRow audited) =>
        database.WriteAsync(async tx =>
        {
            var changed = await tx.ExecuteAsync(
                """
                UPDATE relay_plane
                SET envelopes = COALESCE($2, envelopes), bytes = COALESCE($3, bytes)
                WHERE plane = $1 AND revoked_at IS NULL
                """,
                plane,
                envelopes,
                bytes
            );
            if (changed > 0)
                Audit.Write(tx, audited);
            return changed > 0;
        });

    /// <summary>
    /// Ends a plane's access. Its URLs are unknown from this commit on, and its connections close when they learn of
    /// it. Returns false when there is no such plane.
    /// </summary>
    public Task<bool> RevokeAsync(string plane, AuditRow audited) =>
        database.WriteAsync(async tx =>
        {
            var changed = await tx.ExecuteAsync(
                """
                UPDATE relay_plane
                SET revoked_at = $2, holder = NULL, holder_until = 0
                WHERE plane = $1 AND revoked_at IS NULL
                """,
                plane,
                tx.Now
            );
            if (changed == 0)
                return false;
            tx.Notify(RelayTopics.OfConnections(plane));
            Audit.Write(tx, audited);
            return true;
        });

    /// <summary>
    /// Takes or renews the lease by which a connection holds its plane. Returns false when another connection has it.
    /// </summary>
    public Task<bool> AcquireLeaseAsync(string plane, string connection) =>
        database.WriteAsync(async tx =>
            await tx.ExecuteAsync(
                """
                UPDATE relay_plane
                SET holder = $2, holder_until = $3, held_at = $4, seen_at = $4
                WHERE plane = $1 AND revoked_at IS NULL AND (holder = $2 OR holder IS NULL OR holder_until < $4)
                """,
                plane,
                connection,
                tx.Now + Lease,
                tx.Now
            ) > 0
        );

    /// <summary>Releases the plane, whichever connection holds it.</summary>
    public static ValueTask<int> ReleaseAsync(Tx tx, string plane) =>
        tx.ExecuteAsync("UPDATE relay_plane SET holder = NULL, holder_until = 0 WHERE plane = $1", plane);

    public static async ValueTask ReleaseAsync(Tx tx, string plane, string connection)
    {
        var released = await tx.ExecuteAsync(
            "UPDATE relay_plane SET holder = NULL, held_at = $3 WHERE plane = $1 AND holder = $2",
            plane,
            connection,
            tx.Now
        );
        if (released > 0)
            tx.Notify(RelayTopics.OfConnections(plane));
    }

    /// <summary>Counts what has come or gone, under the plane's lock.</summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="plane">Whose.</param>
    /// <param name="change">What has come, less what has gone.</param>
    /// <param name="numbers">How many numbers were given away.</param>
    public static ValueTask<int> CountAsync(Tx tx, string plane, BacklogChange change, long numbers) =>
        tx.ExecuteAsync(
            """
            UPDATE relay_plane
            SET open_count = open_count + $2, open_bytes = open_bytes + $3, unknown_count = unknown_count + $4,
              unknown_bytes = unknown_bytes + $5, next_seq = next_seq + $6
            WHERE plane = $1
            """,
            plane,
            change.Count,
            change.Bytes,
            change.UnknownCount,
            change.UnknownBytes,
            numbers
        );

    /// <summary>Returns what waits for all planes.</summary>
    public ValueTask<(long Planes, long Count, long Bytes)> BacklogAsync() =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                """
                SELECT COUNT(*), COALESCE(SUM(open_count), 0), COALESCE(SUM(open_bytes), 0)
                FROM relay_plane WHERE revoked_at IS NULL
                """,
                r => (r.GetInt64(0), Convert.ToInt64(r.GetValue(1)), Convert.ToInt64(r.GetValue(2)))
            )
        );

    /// <summary>Stores a new list of doors. Returns the version that is kept, which may be a higher one.</summary>
    public Task<long> SetDoorsAsync(string plane, long version, byte[] doors) =>
        database.WriteAsync(async tx =>
        {
            await tx.ExecuteAsync(
                "UPDATE relay_plane SET doors_version = $2, doors = $3 WHERE plane = $1 AND doors_version < $2",
                plane,
                version,
                doors
            );
            return await tx.FirstAsync(
                "SELECT doors_version FROM relay_plane WHERE plane = $1",
                r => r.GetInt64(0),
                plane
            );
        });

    /// <summary>Returns the list of doors with its version.</summary>
    public ValueTask<(long Version, byte[]? Doors)> DoorsAsync(string plane) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT doors_version, doors FROM relay_plane WHERE plane = $1",
                r => (r.GetInt64(0), r.IsDBNull(1) ? null : r.Bytes(1)),
                plane
            )
        );

    private static RelayPlane Map(DbDataReader r) =>
        new()
        {
            Plane = r.GetString(0),
            Name = r.GetString(1),
            SignKey = r.GetString(2),
            OpenKey = r.GetString(3),
            OldSignKey = r.TextOrNull(4),
            OldSignUntil = r.LongOrNull(5),
            Envelopes = r.GetInt64(6),
            Bytes = r.GetInt64(7),
            NextSeq = r.GetInt64(8),
            OpenCount = r.GetInt64(9),
            OpenBytes = r.GetInt64(10),
            UnknownCount = r.GetInt64(11),
            UnknownBytes = r.GetInt64(12),
            DoorsVersion = r.GetInt64(13),
            Holder = r.TextOrNull(14),
            HolderUntil = r.GetInt64(15),
            HeldAt = r.GetInt64(16),
            CreatedAt = r.GetInt64(17),
            SeenAt = r.LongOrNull(18),
            RevokedAt = r.LongOrNull(19),
        };
}
