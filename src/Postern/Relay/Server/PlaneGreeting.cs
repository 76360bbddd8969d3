using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>The frames that tell a plane its state at this relay: at the start, and now and then.</summary>
internal sealed class PlaneGreeting(ConnectionRow row, PlaneStores stores, RelayIdentity identity, Database database)
{
    private long _pings;

    /// <param name="plane">As it was when the connection was let in.</param>
    /// <param name="nonce">Of the handshake.</param>
    /// <param name="isHolder">Whether this connection is given envelopes.</param>
    /// <param name="retention">Microseconds that an envelope is kept.</param>
    public async Task<ReadyHead> ReadyAsync(RelayPlane plane, string nonce, bool isHolder, long retention)
    {
        var keys = await identity.KeysAsync();
        var oldest = await stores.Envelopes.OldestAsync(plane.Plane);
        var now = await stores.Planes.FindAsync(plane.Plane) ?? plane;
        return new ReadyHead
        {
            Relay = keys.Relay,
            Plane = plane.Plane,
            Connection = row.Connection,
            Nonce = nonce,
            Time = database.Now / 1000,
            Holder = isHolder,
            Doors = now.DoorsVersion,
            Open = new OpenNumbers(oldest?.Seq ?? now.NextSeq, now.NextSeq),
            MaxAgeSeconds = retention / 1_000_000,
            Quota = now.Quota,
            Backlog = now.Backlog(oldest?.ReceivedAt),
            NextKey = keys.Next?.Text,
        };
    }

    /// <summary>Returns a ping with the time and the backlog. Without the database, it has no backlog.</summary>
    public async Task<PingHead> PingAsync()
    {
        var ping = new PingHead(++_pings, database.Now / 1000);
        try
        {
            if (await stores.Planes.FindAsync(row.Plane) is not { } plane)
                return ping;
            var oldest = plane.OpenCount == 0 ? null : await stores.Envelopes.OldestAsync(row.Plane);
            return ping with { Backlog = plane.Backlog(oldest?.ReceivedAt), Quota = plane.Quota };
        }
        catch (StorageUnavailableException)
        {
            return ping;
        }
    }
}
