using System.Net;
using System.Net.Sockets;

namespace Postern.Deliveries;

/// <summary>
/// Decides which addresses belong to the public internet. IPv4: all except IANA's special-purpose registry, multicast
/// and the addresses that clouds use inside their networks. IPv6: only 2000::/3, which is everything that was given out
/// so far, less the registry, so later reservations elsewhere are refused already. An IPv4 address in an IPv6 form
/// (mapped, NAT64) is judged as IPv4. Registries: https://www.iana.org/assignments/iana-ipv4-special-registry and
/// https://www.iana.org/assignments/iana-ipv6-special-registry.
/// </summary>
internal static class ReservedAddresses
{
    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");

    /// <summary>The range from which IPv6 addresses are given out.</summary>
    private static readonly IPNetwork GlobalUnicast = IPNetwork.Parse("2000::/3");

    /// <summary>
    /// Every row of the registries that no wider row contains. Globally reachable rows are refused too, because no
    /// receiver is an anycast relay.
    /// </summary>
    public static IReadOnlyList<ReservedNetwork> Registry { get; } =
    [
        Row("0.0.0.0/8", "this network", "RFC 791"),
        Row("10.0.0.0/8", "private use", "RFC 1918"),
        Row("100.64.0.0/10", "shared address space of carriers", "RFC 6598"),
        Row("127.0.0.0/8", "loopback", "RFC 1122"),
        Row("169.254.0.0/16", "link local", "RFC 3927"),
        Row("172.16.0.0/12", "private use", "RFC 1918"),
        Row("192.0.0.0/24", "IETF protocol assignments, with DS-Lite, PCP, TURN and NAT64 discovery", "RFC 6890"),
        Row("192.0.2.0/24", "documentation (TEST-NET-1)", "RFC 5737"),
        Row("192.31.196.0/24", "AS112-v4", "RFC 7535"),
        Row("192.52.193.0/24", "AMT", "RFC 7450"),
        Row("192.88.99.0/24", "deprecated 6to4 relay anycast, with 6a44", "RFC 7526"),
        Row("192.168.0.0/16", "private use", "RFC 1918"),
        Row("192.175.48.0/24", "direct delegation AS112 service", "RFC 7534"),
        Row("198.18.0.0/15", "benchmarking", "RFC 2544"),
        Row("198.51.100.0/24", "documentation (TEST-NET-2)", "RFC 5737"),
        Row("203.0.113.0/24", "documentation (TEST-NET-3)", "RFC 5737"),
        Row("224.0.0.0/4", "multicast", "RFC 5771"),
        Row("240.0.0.0/4", "reserved, with limited broadcast", "RFC 1112"),
        Row("2001::/23", "IETF protocol assignments, with Teredo, AMT, AS112, ORCHID and DRIP", "RFC 2928"),
        Row("2001:db8::/32", "documentation", "RFC 3849"),
        Row("2002::/16", "6to4", "RFC 3056"),
        Row("2620:4f:8000::/48", "direct delegation AS112 service", "RFC 7534"),
        Row("3fff::/20", "documentation", "RFC 9637"),
    ];

    /// <summary>
    /// Addresses under which clouds give credentials to programs inside them. Allowing a network around one does not
    /// open it: it must be listed by itself.
    /// </summary>
    public static IReadOnlyList<ReservedNetwork> Clouds { get; } =
    [
        Row("169.254.169.254/32", "instance metadata of AWS, Azure, Google, Oracle and others", "their documentation"),
        Row("169.254.170.2/32", "task credentials of AWS ECS", "AWS documentation"),
        Row("169.254.170.23/32", "pod credentials of AWS EKS", "AWS documentation"),
        Row("fd00:ec2::254/128", "instance metadata of AWS over IPv6", "AWS documentation"),
        Row("fd00:ec2::23/128", "pod credentials of AWS EKS over IPv6", "AWS documentation"),
        Row("168.63.129.16/32", "WireServer of Azure", "Azure documentation"),
        Row("100.100.100.200/32", "instance metadata of Alibaba Cloud", "Alibaba Cloud documentation"),
        Row("192.0.0.192/32", "instance metadata of Oracle Cloud Classic", "Oracle documentation"),
        Row("fd20:ce::254/128", "instance metadata of Google Cloud over IPv6", "Google Cloud documentation"),
        Row("fd00:42::42/128", "instance metadata of Scaleway over IPv6", "Scaleway documentation"),
    ];

    public static bool IsPublic(IPAddress address) =>
        (address.AddressFamily == AddressFamily.InterNetwork || GlobalUnicast.Contains(address))
        && !Registry.Any(row => row.Network.Contains(address))
        && !IsOfACloud(address);

    public static bool IsOfACloud(IPAddress address) => Clouds.Any(row => row.Network.Contains(address));

    /// <summary>Returns the real address: the IPv4 address inside a mapped or NAT64 one.</summary>
    public static IPAddress Meant(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            return address.MapToIPv4();
        return Nat64.Contains(address) ? new IPAddress(address.GetAddressBytes().AsSpan(12, 4)) : address;
    }

    private static ReservedNetwork Row(string network, string name, string source) =>
        new(IPNetwork.Parse(network), name, source);
}
