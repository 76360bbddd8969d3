using Postern.Hosting;

namespace Postern.Tests.Hosting;

public sealed class DescriptorsTests
{
    [Theory]
    [InlineData(1024, 768)]
    [InlineData(4096, 3072)]
    [InlineData(256, 128)]
    public void Connections_stop_short_of_the_limit_of_descriptors(long limit, long connections) =>
        Assert.Equal(connections, Descriptors.ConnectionsWithin(limit));

    [Fact]
    public void The_limit_of_this_system_is_read() => Assert.True(Descriptors.Connections > 64);
}
