using System.Net;
using Postern.Hosting;

namespace Postern.Tests.Hosting;

/// <summary>Who gets one of the last places for connections.</summary>
public sealed class ConnectionSharesTests
{
    private readonly ConnectionShares _shares = new(100, [IPNetwork.Parse("10.0.0.0/8")]);

    [Fact]
    public void The_last_quarter_is_for_those_who_hold_little()
    {
        var greedy = IPAddress.Parse("192.0.2.1");
        Assert.Equal(75, Taken(greedy, 200));
        Assert.Equal(25, Taken(IPAddress.Parse("192.0.2.2"), 200));
        Assert.False(_shares.TryTake(IPAddress.Parse("192.0.2.3")));
        _shares.Free(greedy);
        Assert.False(_shares.TryTake(greedy));
        Assert.True(_shares.TryTake(IPAddress.Parse("192.0.2.3")));
        Assert.Equal((100, 74), (_shares.Open, _shares.HeldBy(greedy)));
    }

    [Theory]
    [InlineData("2001:db8::1", "2001:db8::ffff:2", true)]
    [InlineData("2001:db8::1", "2001:db8:0:1::1", false)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    public void A_network_of_one_party_is_one_address(string one, string other, bool same)
    {
        Assert.Equal(75, Taken(IPAddress.Parse(one), 200));
        Assert.Equal(!same, _shares.TryTake(IPAddress.Parse(other)));
    }

    [Theory]
    [InlineData("10.1.2.3")]
    [InlineData("::ffff:10.1.2.3")]
    [InlineData(null)]
    public void A_trusted_proxy_and_a_Unix_socket_bring_many_clients(string? address)
    {
        var proxy = address is null ? null : IPAddress.Parse(address);
        Assert.Equal(100, Taken(proxy, 200));
        for (var i = 0; i < 100; i++)
            _shares.Free(proxy);
        Assert.Equal((0, 0), (_shares.Open, _shares.HeldBy(proxy)));
        Assert.Equal(100, Taken(proxy, 200));
    }

    private int Taken(IPAddress? address, int tries) => Enumerable.Range(0, tries).Count(_ => _shares.TryTake(address));
}
