using System.Net;
using Postern.Access;
using Postern.Http;

namespace Postern.Hosting;

/// <summary>
/// Divides the places for connections between addresses, before anything of a request is read. So one address that
/// opens connections and says nothing cannot keep everybody else out. A trusted proxy, or a Unix socket, brings many
/// clients.
/// </summary>
/// <param name="most">All places.</param>
/// <param name="proxies">The networks of the trusted proxies.</param>
internal sealed class ConnectionShares(int most, IReadOnlyList<IPNetwork> proxies)
{
    private readonly Shares _shares = new(most);

    /// <summary>All places.</summary>
    public int Most => most;

    /// <summary>Connections that are open.</summary>
    public long Open => _shares.Taken;

    /// <summary>Returns whether the address gets a place, which it then keeps until <see cref="Free"/>.</summary>
    /// <param name="address">Null for a Unix socket.</param>
    public bool TryTake(IPAddress? address) =>
        _shares.TryTake(NameOf(address), 1, address is null || ClientAddress.IsTrusted(address, proxies));

    public void Free(IPAddress? address) => _shares.Free(NameOf(address), 1);

    /// <summary>Returns how many connections of the address are open.</summary>
    public long HeldBy(IPAddress? address) => _shares.HeldBy(NameOf(address));

    /// <summary>The address as it is counted.</summary>
    private static string NameOf(IPAddress? address) =>
        address is null ? "" : CredentialReader.Shown(ClientAddress.Plain(address));
}
