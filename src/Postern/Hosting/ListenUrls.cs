using System.Net;
using System.Net.Sockets;

namespace Postern.Hosting;

/// <summary>The addresses to listen on: URLs, separated by semicolons or commas.</summary>
internal static class ListenUrls
{
    private const string Example = "Write it as http://127.0.0.1:7400, or http://0.0.0.0:7400 for every address";

    /// <summary>Written instead of addresses: listen nowhere, and be reached only through a relay.</summary>
    public const string None = "none";

    public static string[] Split(string urls) =>
        urls == None
            ? []
            : urls.Split([';', ','], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <exception cref="SetupException">One of them cannot be listened on.</exception>
    public static string Check(string urls)
    {
        foreach (var url in Split(urls))
        {
            if (Validate(url) is { } fault)
                throw new SetupException($"--urls {url} {fault}.");
        }
        return urls;
    }

    /// <summary>
    /// Tries an address. The web server would report a fault with a stack trace. Returns null when the address is free.
    /// </summary>
    public static SocketError? Try(string url)
    {
        var address = BindingAddress.Parse(url);
        if (address.IsUnixPipe)
            return null;
        var host =
            IPAddress.TryParse(address.Host, out var ip) ? ip
            : address.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase) ? IPAddress.Loopback
            : IPAddress.Any;
        try
        {
            using var probe = new TcpListener(host, address.Port);
            probe.Start();
            return null;
        }
        catch (SocketException fault)
        {
            return fault.SocketErrorCode;
        }
    }

    /// <summary>Returns why an address cannot be listened on, with what to do.</summary>
    public static string Explain(SocketError why) =>
        why switch
        {
            SocketError.AddressAlreadyInUse =>
                "it is taken by another program. Choose another address with --urls http://127.0.0.1:PORT",
            SocketError.AddressNotAvailable =>
                "this machine has no such address. Choose one that it has, or 0.0.0.0 for all",
            SocketError.AccessDenied => "ports below 1024 are the system's. Choose a higher one, and a proxy in front",
            _ => $"{why}. Choose another address with --urls http://127.0.0.1:PORT",
        };

    private static string? Validate(string url)
    {
        if (!url.Contains("://", StringComparison.Ordinal))
            return $"is no URL. {Example}";
        if (url.StartsWith("https://", StringComparison.OrdinalIgnoreCase))
            return "asks for TLS, which a proxy in front does: listen with http:// and see docs/operating.md";
        if (!url.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
            return $"is no http:// URL. {Example}";
        try
        {
            var address = BindingAddress.Parse(url);
            if (address.IsUnixPipe)
                return null;
            if (address.Port is < 0 or > ushort.MaxValue)
                return "has a port that is no number from 0 to 65535";
            if (address.PathBase.Trim('/').Length > 0)
                return "holds a path: take it away, a proxy in front may add one";
            return address.Host.Length == 0 ? $"names no host. {Example}" : null;
        }
        catch (FormatException)
        {
            return $"is no URL. {Example}";
        }
    }
}
