using Postern.Hosting;

namespace Postern.Tests.Hosting;

public sealed class DescriptorsTests
{
    [Theory]
    [InlineData(1024, 0, 768)]
    [InlineData(1024, 220, 548)]
    [InlineData(4096, 100, 2972)]
    [InlineData(256, 200, 32)]
    public void Connections_stop_short_of_the_limit_of_descriptors(long limit, long open, long connections) =>
        Assert.Equal(connections, Descriptors.ConnectionsWithin(limit, open));

    [Fact]
    public void The_limit_of_this_system_is_read() => Assert.True(Descriptors.Connections > 64);
}
