using Postern.Support;

namespace Postern.Tests.Relay;

/// <summary>The complete list of doors that a relay may reach.</summary>
public sealed class RelayedDoorTests
{
    [Fact]
    public async Task Nothing_else_is_ever_relayed()
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal(
            [
                "approvals POST /api/v1/webhooks/approval-response",
                "approvals POST /api/v1/webhooks/approval-response/{project}",
                "callbacks POST /api/callbacks/execution",
                "callbacks POST /api/v1/internal/jobs/{run}/status",
                "callbacks POST /api/v1/runs/{run}/status",
                "callbacks POST /internal/jobs/{run}/status",
                "inbound ANY /inbound/org/{owner}/{trigger}",
                "inbound ANY /inbound/user/{owner}/{trigger}",
                "inbound ANY /inbound/{project}/org/{owner}/{trigger}",
                "inbound ANY /inbound/{project}/user/{owner}/{trigger}",
                "pages POST /relay/v1/answers/{plane}/{page}",
            ],
            server
                .Doors.Table.Where(d => d.RelayedAs is not null)
                .Select(d => $"{d.RelayedAs} {d.Method} {d.Path}")
                .Order(StringComparer.Ordinal)
        );
    }
}
