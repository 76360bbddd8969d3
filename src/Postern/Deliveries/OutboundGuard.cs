using System.Net;
using System.Net.Sockets;
using Postern.Http;
using Postern.Settings;

namespace Postern.Deliveries;

/// <summary>
/// Decides where the server may connect to. A URL is checked when it is stored, and again when connecting, on the
/// address that is really used. So a name that changes its answer in between opens nothing. Plain http is allowed only
/// to networks in the settings. Redirects are not followed. Through a proxy, the proxy connects: then the URL is
/// checked before each request, and the connection to the proxy itself is trusted.
/// </summary>
internal sealed class OutboundGuard : IDisposable
{
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
        Client = new HttpClient(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseCookies = false,
                UseProxy = _proxy is not null,
                Proxy = _proxy is null ? null : new WebProxy(_proxy),
                ConnectCallback = ConnectAsync,
                PooledConnectionLifetime = TimeSpan.FromMinutes(2),
                MaxResponseHeadersLength = 64,
            }
        )
        // The sender limits the time of the whole request with its body; the client's own limit would cover only the
        // headers.
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>The only client for outgoing requests.</summary>
    public HttpClient Client { get; }

    /// <summary>Returns what is wrong with a URL that is to be stored, or null.</summary>
    public async ValueTask<string?> ValidateAsync(string url, CancellationToken cancel)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
            return "must be an http or https URL";
        if (uri.UserInfo.Length > 0)
            return "must not hold a user or password";
        // A character that looks like another one may become that one during resolution, so a name must be ASCII.
        if (!System.Text.Ascii.IsValid(uri.Host) || !System.Text.Ascii.IsValid(uri.IdnHost))
            return "must name its host in ASCII (an international name as xn--…)";
        var plain = _httpsOnly && uri.Scheme != "https";
        var host = uri.IdnHost.TrimEnd('.').Trim('[', ']');
        if (IPAddress.TryParse(host, out var literal))
            return Validate([literal], plain);
        // Without a configured network, plain http is allowed nowhere.
        if (plain && _allowed.Length == 0)
            return NotHttps;
        try
        {
            return Validate(await _resolve(host, cancel), plain);
        }
        catch (SocketException)
        {
            // The name may be created later; its address is checked when connecting.
            return null;
        }
    }

    /// <summary>
    /// The same during a caller's request. The name's server may be slow, so the caller is checked again afterwards.
    /// </summary>
    public async ValueTask<string?> ValidateAsync(HttpContext http, string url)
    {
        var problem = await ValidateAsync(url, http.RequestAborted);
        if (http.Features.Get<RequestCaller>() is { } caller)
            await caller.EnsureStillAllowedAsync();
        return problem;
    }

    /// <summary>The same before a request through a proxy. Without a proxy, the connection itself is checked.</summary>
    public ValueTask<string?> ValidateBeforeProxyAsync(string url, CancellationToken cancel) =>
        _proxy is null ? new((string?)null) : ValidateAsync(url, cancel);

    public bool IsAllowed(IPAddress address)
    {
        address = ReservedAddresses.Meant(address);
        return ReservedAddresses.IsPublic(address) || IsNamed(address);
    }

    public void Dispose() => Client.Dispose();

    private const string NotPublic =
        "must not lead to a loopback, private or otherwise reserved address (Postern:Outbound:AllowedNetworks lists "
        + "exceptions)";

    private const string NotHttps =
        "must be https (plain http goes to networks that Postern:Outbound:AllowedNetworks names; see "
        + "Postern:Outbound:HttpsOnly)";

    private string? Validate(IPAddress[] addresses, bool plain)
    {
        if (!addresses.All(IsAllowed))
            return NotPublic;
        return plain && !addresses.All(a => IsNamed(ReservedAddresses.Meant(a))) ? NotHttps : null;
    }

    /// <summary>
    /// Returns whether a configured network contains the address. A cloud's metadata address must be listed by itself.
    /// </summary>
    private bool IsNamed(IPAddress meant)
    {
        var alone = ReservedAddresses.IsOfACloud(meant) ? meant.GetAddressBytes().Length * 8 : 0;
        return _allowed.Any(network => network.PrefixLength >= alone && network.Contains(meant));
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var addresses = await _resolve(context.DnsEndPoint.Host, cancel);
        var toProxy =
            _proxy is not null && context.DnsEndPoint.Host == _proxy.IdnHost && context.DnsEndPoint.Port == _proxy.Port;
        var allowed = toProxy ? addresses : [.. addresses.Where(IsAllowed)];
        if (allowed.Length == 0)
            throw new OutboundRefusedException("The address " + NotPublic);
        if (!toProxy && _httpsOnly && context.InitialRequestMessage.RequestUri?.Scheme != "https")
        {
            allowed = [.. allowed.Where(a => IsNamed(ReservedAddresses.Meant(a)))];
            if (allowed.Length == 0)
                throw new OutboundRefusedException("The address " + NotHttps);
        }
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
