using System.Net;
using Postern.Access;

namespace Postern.Hosting;

/// <summary>
/// Divides the places for connections between addresses, before anything of a request is read. The last quarter of the
/// places goes only to addresses that hold less than a quarter of them all. So one address that opens connections and
/// says nothing cannot keep everybody else out. A trusted proxy brings many clients: its share is everything.
/// </summary>
/// <param name="most">All places.</param>
/// <param name="proxies">The networks of the trusted proxies.</param>
internal sealed class ConnectionShares(int most, IReadOnlyList<IPNetwork> proxies)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _held = new(StringComparer.Ordinal);
    private readonly int _share = Math.Max(1, most / 4);

    /// <summary>All places.</summary>
    public int Most => most;

    /// <summary>Connections that are open.</summary>
    public int Open { get; private set; }

    /// <summary>Returns whether the address gets a place, which it then keeps until <see cref="Free"/>.</summary>
    /// <param name="address">Null for a Unix socket, which only a proxy on this machine opens: it has no share.</param>
    public bool TryTake(IPAddress? address)
    {
        var name = NameOf(address);
        var isFree = address is null || ClientAddress.IsTrusted(address, proxies);
        lock (_gate)
        {
            var held = _held.GetValueOrDefault(name);
            if (Open >= most || (!isFree && held >= _share && Open >= most - _share))
                return false;
            _held[name] = held + 1;
            Open++;
            return true;
        }
    }

    public void Free(IPAddress? address)
    {
        var name = NameOf(address);
        lock (_gate)
        {
            Open--;
            if (--_held[name] == 0)
                _held.Remove(name);
        }
    }

    /// <summary>Returns how many connections of the address are open.</summary>
    public int HeldBy(IPAddress? address)
    {
        lock (_gate)
            return _held.GetValueOrDefault(NameOf(address));
    }

    /// <summary>The address as it is counted.</summary>
    private static string NameOf(IPAddress? address) =>
        address is null ? "" : CredentialReader.Shown(ClientAddress.Plain(address));
}
