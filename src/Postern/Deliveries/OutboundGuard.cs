using System.Net;
using System.Net.Sockets;
using Postern.Settings;

namespace Postern.Deliveries;

/// <summary>A URL that this server does not connect to. The rule is named, not the address behind a name.</summary>
internal sealed class OutboundRefusedException(string rule) : Exception(rule);

/// <summary>How names become addresses: the system's resolver, except where a test has its own.</summary>
internal delegate Task<IPAddress[]> HostResolver(string host, CancellationToken cancel);

/// <summary>
/// Where the server may connect to. A URL is checked when it is stored, and again at connect time on the address that is really
/// connected to, so a name that changes its answer in between opens nothing. Redirects are not followed. Through a proxy the proxy
/// connects: then the URL is checked again before each request, and the connection to the proxy itself is taken as the setting means it.
/// </summary>
internal sealed class OutboundGuard : IDisposable
{
    private static readonly IPNetwork[] Never =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
            "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
        }.Select(IPNetwork.Parse),
    ];

    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");
    private static readonly IPNetwork SixToFour = IPNetwork.Parse("2002::/16");
    private readonly IPNetwork[] _allowed;
    private readonly bool _httpsOnly;
    private readonly HostResolver _resolve;
    private readonly Uri? _proxy;

    public OutboundGuard(PosternOptions options, HostResolver resolve)
    {
        _resolve = resolve;
        _proxy = options.Outbound.Proxy.Length > 0 ? new Uri(options.Outbound.Proxy) : null;
        _allowed = [.. options.Outbound.AllowedNetworks.Select(IPNetwork.Parse)];
        _httpsOnly = options.Outbound.HttpsOnly;
        Client = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = _proxy is not null,
            Proxy = _proxy is null ? null : new WebProxy(_proxy),
            ConnectCallback = ConnectAsync,
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
            MaxResponseHeadersLength = 64,
        })
        // Whoever sends bounds the time of all of it, the body too; the client's own limit ends with the headers.
        { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>The one client for requests that leave the server.</summary>
    public HttpClient Client { get; }

    /// <summary>What is wrong with a URL that is to be stored, or null.</summary>
    public async ValueTask<string?> WhatIsWrongWithAsync(string url, CancellationToken cancel)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https")) return "must be an http or https URL";
        if (_httpsOnly && uri.Scheme != "https") return "must be https";
        if (uri.UserInfo.Length > 0) return "must not hold a user or password";
        // Characters that look like others become them on the way to an address: a name is taken as it is written, in ASCII.
        if (!System.Text.Ascii.IsValid(uri.Host) || !System.Text.Ascii.IsValid(uri.IdnHost)) return "must name its host in ASCII (an international name as xn--…)";
        var host = uri.IdnHost.TrimEnd('.').Trim('[', ']');
        if (IPAddress.TryParse(host, out var literal)) return IsAllowed(literal) ? null : NotPublic;
        try
        {
            return (await _resolve(host, cancel)).All(IsAllowed) ? null : NotPublic;
        }
        catch (SocketException)
        {
            // The name may come into being later; what it then means is checked at connect time.
            return null;
        }
    }

    /// <summary>The same before a request that a proxy will make; directly, the connection itself is checked.</summary>
    public ValueTask<string?> WhatIsWrongBeforeProxyAsync(string url, CancellationToken cancel) => _proxy is null ? new((string?)null) : WhatIsWrongWithAsync(url, cancel);

    public bool IsAllowed(IPAddress address)
    {
        address = Embedded(address);
        return _allowed.Any(n => n.Contains(address)) || !Never.Any(n => n.Contains(address));
    }

    public void Dispose() => Client.Dispose();

    private const string NotPublic = "must not lead to a loopback, private or otherwise reserved address (Postern:Outbound:AllowedNetworks lists exceptions)";

    /// <summary>The IPv4 address inside a mapped, NAT64 or 6to4 one.</summary>
    private static IPAddress Embedded(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) return address.MapToIPv4();
        if (Nat64.Contains(address)) return new IPAddress(address.GetAddressBytes().AsSpan(12, 4));
        return SixToFour.Contains(address) ? new IPAddress(address.GetAddressBytes().AsSpan(2, 4)) : address;
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var addresses = await _resolve(context.DnsEndPoint.Host, cancel);
        var toProxy = _proxy is not null && context.DnsEndPoint.Host == _proxy.IdnHost && context.DnsEndPoint.Port == _proxy.Port;
        var allowed = toProxy ? addresses : [.. addresses.Where(IsAllowed)];
        if (allowed.Length == 0) throw new OutboundRefusedException("The address " + NotPublic);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
