using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Primitives;

namespace Postern.Access;

/// <summary>
/// Finds the client's address behind any number of trusted proxies: the last address of <c>X-Forwarded-For</c> (or
/// <c>Forwarded</c>, RFC 7239) that is not a trusted proxy. Addresses before it were written by the client.
/// </summary>
internal static class ClientAddress
{
    /// <param name="connection">The address that the connection comes from; null for none.</param>
    /// <param name="headers">The request's.</param>
    /// <param name="trusted">The networks of proxies that are believed.</param>
    public static IPAddress Of(IPAddress? connection, IHeaderDictionary headers, IReadOnlyList<IPNetwork> trusted)
    {
        var address = Plain(connection ?? IPAddress.None);
        // Most requests come straight from their client, and then no header counts.
        if (!IsTrusted(address, trusted))
            return address;
        foreach (var named in Named(headers).Reverse())
        {
            if (!IsTrusted(address, trusted) || named is null)
                break;
            address = Plain(named);
        }
        return address;
    }

    public static bool IsTrusted(IPAddress address, IReadOnlyList<IPNetwork> trusted) =>
        trusted.Count > 0 && trusted.Any(n => n.Contains(Plain(address)));

    /// <summary>Returns the addresses that proxies have written, in order; null when one is not an address.</summary>
    private static IEnumerable<IPAddress?> Named(IHeaderDictionary headers)
    {
        if (headers["X-Forwarded-For"] is { Count: > 0 } listed)
            return Split(listed).Select(Read);
        return headers["Forwarded"] is { Count: > 0 } forwarded
            ? Split(forwarded)
                .Select(element =>
                    Read(
                        element
                            .Split(';')
                            .Select(p => p.Trim())
                            .FirstOrDefault(p => p.StartsWith("for=", StringComparison.OrdinalIgnoreCase))
                            ?[4..].Trim('"')
                            ?? ""
                    )
                )
            : [];
    }

    private static IEnumerable<string> Split(StringValues values) =>
        values.SelectMany(v => (v ?? "").Split(',', StringSplitOptions.TrimEntries));

    /// <summary>Reads an address with the port and the brackets that some proxies write.</summary>
    private static IPAddress? Read(string text)
    {
        if (text.StartsWith('[') && text.IndexOf(']', StringComparison.Ordinal) is > 0 and var end)
            text = text[1..end];
        else if (text.AsSpan().Count(':') == 1)
            text = text[..text.IndexOf(':', StringComparison.Ordinal)];
        return
            IPAddress.TryParse(text, out var address)
            && (address.AddressFamily == AddressFamily.InterNetworkV6 || text.AsSpan().Count('.') == 3)
            ? address
            : null;
    }

    /// <summary>Returns an IPv4 address that is written as IPv6 as what it is.</summary>
    public static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
