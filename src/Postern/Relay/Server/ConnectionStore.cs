using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// The connections of planes, on any node of the relay. When a node of a plane connects again, its old row is removed.
/// The old connection ends when it finds that out.
/// </summary>
internal sealed class ConnectionStore(Database database)
{
    /// <summary>The most connections of one plane.</summary>
    public const int Most = 16;

    /// <summary>After so long without renewal, a row belongs to a node of the relay that has died.</summary>
    public const long Life = 30_000_000;

    /// <summary>A living node of the relay has renewed its row within this time. It renews it every 5 s.</summary>
    private const long Renewed = 12_000_000;

    /// <summary>Adds a connection. It replaces those that the same process of the plane made before.</summary>
    public Task<Admission> AddAsync(ConnectionRow row) =>
        database.WriteAsync(async tx =>
        {
            await RelayPlaneStore.LockAsync(tx, row.Plane);
            var replaced = await tx.ExecuteAsync(
                "DELETE FROM relay_connection WHERE plane = $1 AND seen_at < $2",
                row.Plane,
                tx.Now - Life
            );
            var there = await tx.ListAsync(
                "SELECT connection, node FROM relay_connection WHERE plane = $1",
                r => (Connection: r.GetString(0), Node: NodeName.Of(r.GetString(1))),
                row.Plane
            );
            var name = NodeName.Of(row.Node);
            var own = there.FindAll(c => c.Node.Process == name.Process);
            if (own.Exists(c => c.Node.Number > name.Number))
                return Admission.Superseded;
            if (there.Count - own.Count >= Most)
                return Admission.TooMany;
            foreach (var (connection, _) in own)
                replaced += await tx.ExecuteAsync(
                    "DELETE FROM relay_connection WHERE plane = $1 AND connection = $2",
                    row.Plane,
                    connection
                );
            await tx.ExecuteAsync(
                """
                INSERT INTO relay_connection (plane, connection, node, address, transport, since, seen_at)
                VALUES ($1, $2, $3, $4, $5, $6, $6)
                """,
                row.Plane,
                row.Connection,
                row.Node,
                row.Address,
                row.Transport,
                tx.Now
            );
            if (replaced == 0)
                return Admission.In;
            // The new connection may take what the replaced one held, before its lease ends.
            await tx.ExecuteAsync(
                """
                UPDATE relay_plane SET holder = NULL, held_at = $2
                WHERE plane = $1 AND holder IS NOT NULL
                  AND NOT EXISTS (SELECT 1 FROM relay_connection WHERE plane = $1 AND connection = holder)
                """,
                row.Plane,
                tx.Now
            );
            tx.Notify(RelayTopics.OfConnections(row.Plane));
            return Admission.In;
        });

    /// <summary>
    /// Returns whether a node of the plane polls at a living node of this relay. A balancer may have sent this request
    /// to the wrong one.
    /// </summary>
    public async ValueTask<bool> IsPolledAsync(string plane, string node) =>
        !database.IsEmbedded
        && await database.ReadAsync(tx =>
            tx.FirstAsync(
                """
                SELECT 1 FROM relay_connection
                WHERE plane = $1 AND node = $2 AND transport = 'poll' AND seen_at > $3
                """,
                r => r.GetInt64(0),
                plane,
                node,
                tx.Now - Renewed
            )
        ) == 1;

    /// <summary>
    /// Runs at the start on a database that only this process uses. The connections of the previous process are gone,
    /// so what they held is released.
    /// </summary>
    public async Task ForgetOfBeforeAsync()
    {
        if (database.IsEmbedded)
            await database.WriteAsync(async tx =>
            {
                await tx.ExecuteAsync(
                    "UPDATE relay_plane SET holder = NULL, holder_until = 0 WHERE holder IS NOT NULL"
                );
                return await tx.ExecuteAsync("DELETE FROM relay_connection");
            });
    }

    /// <summary>Renews a connection's row. Returns false when the connection was replaced.</summary>
    public Task<bool> RenewAsync(string plane, string connection) =>
        database.WriteAsync(async tx =>
            await tx.ExecuteAsync(
                "UPDATE relay_connection SET seen_at = $3 WHERE plane = $1 AND connection = $2",
                plane,
                connection,
                tx.Now
            ) > 0
        );

    /// <summary>Returns whether a connection was not replaced and its plane is not revoked.</summary>
    public ValueTask<(bool IsThere, bool IsRevoked)> StateAsync(string plane, string connection) =>
        database.ReadAsync(async tx =>
            (
                await tx.FirstAsync(
                    "SELECT 1 FROM relay_connection WHERE plane = $1 AND connection = $2",
                    r => r.GetInt64(0),
                    plane,
                    connection
                ) == 1,
                await RelayPlaneStore.FindAsync(tx, plane) is not { RevokedAt: null }
            )
        );

    /// <summary>Releases what a connection holds.</summary>
    public Task ReleaseAsync(string plane, string connection) =>
        database.WriteAsync(async tx =>
        {
            await RelayPlaneStore.ReleaseAsync(tx, plane, connection);
            return 0;
        });

    /// <summary>Removes a connection, and releases what it held.</summary>
    public Task RemoveAsync(string plane, string connection) =>
        database.WriteAsync(async tx =>
        {
            await RelayPlaneStore.ReleaseAsync(tx, plane, connection);
            return await tx.ExecuteAsync(
                "DELETE FROM relay_connection WHERE plane = $1 AND connection = $2",
                plane,
                connection
            );
        });

    /// <summary>
    /// Removes all connections of a plane. A client that has the plane's lost keys is then disconnected.
    /// </summary>
    public static async ValueTask RemoveAllAsync(Tx tx, string plane)
    {
        await RelayPlaneStore.ReleaseAsync(tx, plane);
        await tx.ExecuteAsync("DELETE FROM relay_connection WHERE plane = $1", plane);
    }

    public ValueTask<List<ConnectionRow>> ListAsync(string plane) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT plane, connection, node, address, transport, since FROM relay_connection
                WHERE plane = $1 AND seen_at > $2 ORDER BY since LIMIT {Most}
                """,
                r => new ConnectionRow(
                    r.GetString(0),
                    r.GetString(1),
                    r.GetString(2),
                    r.GetString(3),
                    r.GetString(4),
                    r.GetInt64(5)
                ),
                plane,
                tx.Now - Life
            )
        );
}
