using System.Net;
using Postern.Deliveries;
using Postern.Settings;
using Postern.Support;

namespace Postern.Tests.Deliveries;

/// <summary>Where the server may connect to: every spelling, both checks.</summary>
public sealed class OutboundGuardTests
{
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
        var problem = await guard.WhatIsWrongWithAsync(url, default);
        Assert.NotNull(problem);
        // The rule is named, not the address that a name stands for.
        if (url.Contains("localhost", StringComparison.OrdinalIgnoreCase)) Assert.DoesNotContain("127.", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://8.8.8.8/hook")]
    [InlineData("http://[2606:4700::1111]:8080/x?y=z")]
    [InlineData("http://[64:ff9b::808:808]/")]
    [InlineData("http://172.32.0.1/")]
    public async Task A_public_address_is_fine(string url)
    {
        using var guard = Guard();
        Assert.Null(await guard.WhatIsWrongWithAsync(url, default));
    }

    [Fact]
    public async Task One_reserved_address_among_a_names_is_enough_to_refuse_it()
    {
        using var guard = Guard(resolve: (_, _) => Task.FromResult(new[] { IPAddress.Parse("8.8.8.8"), IPAddress.Parse("10.0.0.1") }));
        Assert.NotNull(await guard.WhatIsWrongWithAsync("http://two-faced.example/", default));
    }

    [Fact]
    public async Task A_resolver_that_changes_its_answer_between_the_checks_opens_nothing()
    {
        await using var inside = await Receiver.StartAsync();
        var asked = 0;
        using var guard = Guard(resolve: (_, _) => Task.FromResult(new[] { Interlocked.Increment(ref asked) == 1 ? IPAddress.Parse("8.8.8.8") : IPAddress.Loopback }));
        var url = $"http://rebinding.example:{new Uri(inside.Url).Port}/";
        Assert.Null(await guard.WhatIsWrongWithAsync(url, default));
        var fault = await Assert.ThrowsAsync<HttpRequestException>(() => guard.Client.GetAsync(url));
        Assert.IsType<OutboundRefusedException>(fault.InnerException ?? fault);
        Assert.Equal(2, asked);
        Assert.Empty(inside.Taken);
    }

    [Fact]
    public async Task Exceptions_are_by_network_and_https_can_be_demanded()
    {
        using var allowing = Guard(o => o.Outbound.AllowedNetworks = ["10.1.0.0/16", "fd00::/8"]);
        Assert.Null(await allowing.WhatIsWrongWithAsync("http://10.1.2.3/", default));
        Assert.Null(await allowing.WhatIsWrongWithAsync("http://[::ffff:10.1.2.3]/", default));
        Assert.Null(await allowing.WhatIsWrongWithAsync("http://[fd00::5]/", default));
        Assert.NotNull(await allowing.WhatIsWrongWithAsync("http://10.2.2.3/", default));
        using var strict = Guard(o => o.Outbound.HttpsOnly = true);
        Assert.Equal("must be https", await strict.WhatIsWrongWithAsync("http://8.8.8.8/", default));
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
        using var proxied = Guard(o => o.Outbound.Proxy = receiver.Origin, (host, _) => Task.FromResult(new[] { host == "127.0.0.1" ? IPAddress.Loopback : IPAddress.Parse("8.8.8.8") }));
        Assert.Equal(HttpStatusCode.Accepted, (await proxied.Client.GetAsync("http://outside.example/hook")).StatusCode);
        Assert.Equal("outside.example", receiver.Taken.Last().Headers.Host.ToString());
        Assert.NotNull(await proxied.WhatIsWrongBeforeProxyAsync("http://10.0.0.1/", default));
        // The exception is the proxy's own address and port, nobody else's.
        await using var beside = await Receiver.StartAsync();
        Assert.NotNull(await proxied.WhatIsWrongBeforeProxyAsync(beside.Url, default));
    }
}
