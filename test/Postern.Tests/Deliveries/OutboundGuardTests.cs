using System.Net;
using Postern.Deliveries;
using Postern.Settings;
using Postern.Support;

namespace Postern.Tests.Deliveries;

/// <summary>Where the server may connect to: every spelling, both checks.</summary>
public sealed class OutboundGuardTests
{
    private const string NotHttps = "must be https";

    private static OutboundGuard Guard(Action<PosternOptions>? set = null, HostResolver? resolve = null)
    {
        var options = new PosternOptions();
        set?.Invoke(options);
        return new OutboundGuard(options, resolve ?? Dns.GetHostAddressesAsync);
    }

    [Theory]
    [InlineData("http://127.0.0.1/")]
    [InlineData("http://127.1/")]
    [InlineData("http://2130706433/")]
    [InlineData("http://0x7f000001/")]
    [InlineData("http://0x7f.0.0.1/")]
    [InlineData("http://0177.0.0.1/")]
    [InlineData("http://017700000001/")]
    [InlineData("http://127.0.0.1./")]
    [InlineData("http://localhost/")]
    [InlineData("http://localhost./")]
    [InlineData("http://LOCALHOST/")]
    [InlineData("http://①②⑦.⓪.⓪.①/")]
    [InlineData("http://１２７.０.０.１/")]
    [InlineData("http://ⓛocalhost/")]
    [InlineData("http://0.0.0.0/")]
    [InlineData("http://0/")]
    [InlineData("http://10.1.2.3/")]
    [InlineData("http://172.16.0.1/")]
    [InlineData("http://172.31.255.255/")]
    [InlineData("http://192.168.1.1/")]
    [InlineData("http://169.254.169.254/latest/meta-data/")]
    [InlineData("http://[fd00:ec2::254]/")]
    [InlineData("http://100.64.0.1/")]
    [InlineData("http://192.0.2.1/")]
    [InlineData("http://198.51.100.7/")]
    [InlineData("http://203.0.113.7/")]
    [InlineData("http://198.18.0.1/")]
    [InlineData("http://224.0.0.1/")]
    [InlineData("http://255.255.255.255/")]
    [InlineData("http://[::]/")]
    [InlineData("http://[::1]/")]
    [InlineData("http://[0:0:0:0:0:0:0:1]/")]
    [InlineData("http://[::ffff:127.0.0.1]/")]
    [InlineData("http://[::ffff:7f00:1]/")]
    [InlineData("http://[::127.0.0.1]/")]
    [InlineData("http://[64:ff9b::7f00:1]/")]
    [InlineData("http://[64:ff9b::10.0.0.1]/")]
    [InlineData("http://[64:ff9b:1::1]/")]
    [InlineData("http://[2002:7f00:1::]/")]
    [InlineData("http://[fe80::1]/")]
    [InlineData("http://[fe80::1%25eth0]/")]
    [InlineData("http://[fec0::1]/")]
    [InlineData("http://[fc00::1]/")]
    [InlineData("http://[fd12:3456::1]/")]
    [InlineData("http://[ff02::1]/")]
    [InlineData("http://[2001:db8::1]/")]
    [InlineData("http://user:pass@example.com/")]
    [InlineData("http://user@example.com/")]
    [InlineData("ftp://example.com/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("gopher://example.com/")]
    [InlineData("//example.com/")]
    [InlineData("example.com")]
    [InlineData("http://")]
    public async Task A_reserved_address_is_refused_in_every_spelling(string url)
    {
        using var guard = Guard();
        var problem = await guard.ValidateAsync(url, default);
        Assert.NotNull(problem);
        // The rule is named, not the address of the name.
        if (url.Contains("localhost", StringComparison.OrdinalIgnoreCase))
            Assert.DoesNotContain("127.", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://8.8.8.8/hook")]
    [InlineData("https://[2606:4700::1111]:8080/x?y=z")]
    [InlineData("https://[64:ff9b::808:808]/")]
    [InlineData("https://[::ffff:8.8.8.8]/")]
    [InlineData("https://172.32.0.1/")]
    public async Task A_public_address_is_fine(string url)
    {
        using var guard = Guard();
        Assert.Null(await guard.ValidateAsync(url, default));
    }

    public static TheoryData<string> ReservedRows() =>
        [.. ReservedAddresses.Registry.Concat(ReservedAddresses.Clouds).Select(row => row.Network.ToString())];

    [Theory]
    [MemberData(nameof(ReservedRows))]
    public void Each_row_of_the_registry_is_refused_from_its_first_address_to_its_last(string network)
    {
        using var guard = Guard();
        var row = IPNetwork.Parse(network);
        var (first, last) = Edges(row);
        Assert.False(guard.IsAllowed(first), $"{first} of {network}");
        Assert.False(guard.IsAllowed(last), $"{last} of {network}");
        if (first.AddressFamily != System.Net.Sockets.AddressFamily.InterNetwork)
            return;
        foreach (var spelling in (string[])["::ffff:", "64:ff9b::"])
        {
            Assert.False(guard.IsAllowed(IPAddress.Parse(spelling + first)), spelling + first);
            Assert.False(guard.IsAllowed(IPAddress.Parse(spelling + last)), spelling + last);
        }
    }

    /// <summary>
    /// The neighbours of the registry's rows, and of 2000::/3: refusals end exactly where the registry says.
    /// </summary>
    [Theory]
    [InlineData("1.0.0.0", true)]
    [InlineData("9.255.255.255", true)]
    [InlineData("11.0.0.0", true)]
    [InlineData("100.63.255.255", true)]
    [InlineData("100.128.0.0", true)]
    [InlineData("126.255.255.255", true)]
    [InlineData("128.0.0.0", true)]
    [InlineData("168.63.129.15", true)]
    [InlineData("168.63.129.17", true)]
    [InlineData("169.253.255.255", true)]
    [InlineData("169.255.0.0", true)]
    [InlineData("172.15.255.255", true)]
    [InlineData("172.32.0.0", true)]
    [InlineData("191.255.255.255", true)]
    [InlineData("192.0.1.0", true)]
    [InlineData("192.0.3.0", true)]
    [InlineData("192.31.195.255", true)]
    [InlineData("192.31.197.0", true)]
    [InlineData("192.52.192.255", true)]
    [InlineData("192.52.194.0", true)]
    [InlineData("192.88.98.255", true)]
    [InlineData("192.88.100.0", true)]
    [InlineData("192.167.255.255", true)]
    [InlineData("192.169.0.0", true)]
    [InlineData("192.175.47.255", true)]
    [InlineData("192.175.49.0", true)]
    [InlineData("198.17.255.255", true)]
    [InlineData("198.20.0.0", true)]
    [InlineData("198.51.99.255", true)]
    [InlineData("198.51.101.0", true)]
    [InlineData("203.0.112.255", true)]
    [InlineData("203.0.114.0", true)]
    [InlineData("223.255.255.255", true)]
    [InlineData("2000::", true)]
    [InlineData("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true)]
    [InlineData("2001:200::", true)]
    [InlineData("2001:db7:ffff::", true)]
    [InlineData("2001:db9::", true)]
    [InlineData("2001:ffff:ffff::", true)]
    [InlineData("2003::", true)]
    [InlineData("2620:4f:7fff:ffff::", true)]
    [InlineData("2620:4f:8001::", true)]
    [InlineData("3ffe:ffff::", true)]
    [InlineData("3fff:1000::", true)]
    [InlineData("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true)]
    [InlineData("1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false)]
    [InlineData("4000::", false)]
    [InlineData("200::1", false)]
    [InlineData("100::1", false)]
    [InlineData("100:0:0:1::1", false)]
    [InlineData("5f00::1", false)]
    [InlineData("3fff::1", false)]
    [InlineData("2001::1", false)]
    [InlineData("2001:1::3", false)]
    [InlineData("2001:2::1", false)]
    [InlineData("2001:3::1", false)]
    [InlineData("2001:4:112::1", false)]
    [InlineData("2001:10::1", false)]
    [InlineData("2001:20::1", false)]
    [InlineData("2001:30::1", false)]
    [InlineData("2002:808:808::1", false)]
    [InlineData("64:ff9b:1::808:808", false)]
    [InlineData("64:ff9a:ffff:ffff:ffff:ffff:808:808", false)]
    [InlineData("::ffff:0:127.0.0.1", false)]
    [InlineData("::ffff:0:8.8.8.8", false)]
    [InlineData("::8.8.8.8", false)]
    [InlineData("e000::1", false)]
    [InlineData("fe80::1", false)]
    [InlineData("ff0e::1", false)]
    public void Addresses_outside_the_registry_are_public_and_ipv6_has_one_public_block(string address, bool allowed)
    {
        using var guard = Guard();
        Assert.Equal(allowed, guard.IsAllowed(IPAddress.Parse(address)));
    }

    [Fact]
    public void A_clouds_own_address_is_opened_only_by_itself()
    {
        string[] networks = ["169.254.0.0/16", "100.64.0.0/10", "168.63.0.0/16", "fd00::/8"];
        using var around = Guard(o => o.Outbound.AllowedNetworks = networks);
        foreach (var cloud in ReservedAddresses.Clouds)
            Assert.False(around.IsAllowed(cloud.Network.BaseAddress), cloud.Name);
        Assert.True(around.IsAllowed(IPAddress.Parse("100.100.100.201")));
        Assert.True(around.IsAllowed(IPAddress.Parse("fd00:ec2::255")));
        string[] alone = [.. ReservedAddresses.Clouds.Select(c => c.Network.ToString())];
        using var itself = Guard(o => o.Outbound.AllowedNetworks = alone);
        foreach (var cloud in ReservedAddresses.Clouds)
            Assert.True(itself.IsAllowed(cloud.Network.BaseAddress), cloud.Name);
    }

    [Fact]
    public async Task Plain_http_goes_to_networks_that_are_allowed_by_name_and_nowhere_else()
    {
        using var guard = Guard(
            o => o.Outbound.AllowedNetworks = ["10.1.0.0/16"],
            (host, _) => Task.FromResult(new[] { IPAddress.Parse(host == "inside.example" ? "10.1.2.3" : "8.8.8.8") })
        );
        Assert.Null(await guard.ValidateAsync("http://10.1.2.3/", default));
        Assert.Null(await guard.ValidateAsync("http://inside.example/", default));
        foreach (var host in (string[])["8.8.8.8", "outside.example", "[2606:4700::1111]", "[64:ff9b::808:808]"])
            Assert.StartsWith(
                NotHttps,
                await guard.ValidateAsync($"http://{host}/", default),
                StringComparison.Ordinal
            );
        Assert.Null(await guard.ValidateAsync("https://outside.example/", default));
        // Without an allowed network, the scheme is refused before the name is looked up.
        using var nowhere = Guard(resolve: (_, _) => throw new InvalidOperationException("looked up"));
        Assert.StartsWith(
            NotHttps,
            await nowhere.ValidateAsync("http://out.example/", default),
            StringComparison.Ordinal
        );
        using var off = Guard(o => o.Outbound.HttpsOnly = false);
        Assert.Null(await off.ValidateAsync("http://8.8.8.8/", default));
    }

    [Fact]
    public async Task Plain_http_is_refused_again_at_the_connection_when_the_name_leads_elsewhere_by_then()
    {
        var asked = 0;
        using var guard = Guard(
            o => o.Outbound.AllowedNetworks = ["10.1.0.0/16"],
            (_, _) =>
                Task.FromResult(
                    new[] { IPAddress.Parse(Interlocked.Increment(ref asked) == 1 ? "10.1.2.3" : "8.8.8.8") }
                )
        );
        Assert.Null(await guard.ValidateAsync("http://moving.example/", default));
        var fault = await Assert.ThrowsAsync<HttpRequestException>(() =>
            guard.Client.GetAsync("http://moving.example/")
        );
        var refused = Assert.IsType<OutboundRefusedException>(fault.InnerException ?? fault);
        Assert.StartsWith("The address " + NotHttps, refused.Message, StringComparison.Ordinal);
    }

    /// <summary>The first and the last address of a network.</summary>
    private static (IPAddress First, IPAddress Last) Edges(IPNetwork network)
    {
        var bytes = network.BaseAddress.GetAddressBytes();
        for (var bit = network.PrefixLength; bit < bytes.Length * 8; bit++)
            bytes[bit / 8] |= (byte)(0x80 >> (bit % 8));
        return (network.BaseAddress, new IPAddress(bytes));
    }

    [Fact]
    public async Task One_reserved_address_among_a_names_is_enough_to_refuse_it()
    {
        using var guard = Guard(
            resolve: (_, _) => Task.FromResult(new[] { IPAddress.Parse("8.8.8.8"), IPAddress.Parse("10.0.0.1") })
        );
        Assert.NotNull(await guard.ValidateAsync("http://two-faced.example/", default));
    }

    [Fact]
    public async Task A_resolver_that_changes_its_answer_between_the_checks_opens_nothing()
    {
        await using var inside = await Receiver.StartAsync();
        var asked = 0;
        using var guard = Guard(
            o => o.Outbound.HttpsOnly = false,
            (_, _) =>
                Task.FromResult(
                    new[] { Interlocked.Increment(ref asked) == 1 ? IPAddress.Parse("8.8.8.8") : IPAddress.Loopback }
                )
        );
        var url = $"http://rebinding.example:{new Uri(inside.Url).Port}/";
        Assert.Null(await guard.ValidateAsync(url, default));
        var fault = await Assert.ThrowsAsync<HttpRequestException>(() => guard.Client.GetAsync(url));
        Assert.IsType<OutboundRefusedException>(fault.InnerException ?? fault);
        Assert.Equal(2, asked);
        Assert.Empty(inside.Taken);
    }

    [Fact]
    public async Task Exceptions_are_by_network()
    {
        using var allowing = Guard(o => o.Outbound.AllowedNetworks = ["10.1.0.0/16", "fd00::/8"]);
        Assert.Null(await allowing.ValidateAsync("http://10.1.2.3/", default));
        Assert.Null(await allowing.ValidateAsync("http://[::ffff:10.1.2.3]/", default));
        Assert.Null(await allowing.ValidateAsync("http://[fd00::5]/", default));
        Assert.NotNull(await allowing.ValidateAsync("http://10.2.2.3/", default));
    }

    [Fact]
    public async Task A_redirect_is_not_followed_and_a_proxy_is_used_when_it_is_set()
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Handle = http =>
        {
            http.Response.Redirect("http://169.254.169.254/");
            return Task.CompletedTask;
        };
        using var guard = Guard(o => o.Outbound.AllowedNetworks = ["127.0.0.0/8"]);
        Assert.Equal(HttpStatusCode.Redirect, (await guard.Client.GetAsync(receiver.Url)).StatusCode);

        receiver.Handle = null;
        using var proxied = Guard(
            o => (o.Outbound.Proxy, o.Outbound.HttpsOnly) = (receiver.Origin, false),
            (host, _) =>
                Task.FromResult(new[] { host == "127.0.0.1" ? IPAddress.Loopback : IPAddress.Parse("8.8.8.8") })
        );
        Assert.Equal(
            HttpStatusCode.Accepted,
            (await proxied.Client.GetAsync("http://outside.example/hook")).StatusCode
        );
        Assert.Equal("outside.example", receiver.Taken.Last().Headers.Host.ToString());
        Assert.NotNull(await proxied.ValidateBeforeProxyAsync("http://10.0.0.1/", default));
        // The exception is only the proxy's own address and port.
        await using var beside = await Receiver.StartAsync();
        Assert.NotNull(await proxied.ValidateBeforeProxyAsync(beside.Url, default));
    }
}
