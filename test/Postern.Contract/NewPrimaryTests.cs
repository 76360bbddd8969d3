using System.Diagnostics;
using Npgsql;
using Postern.Support;

namespace Postern.Contract;

/// <summary>A node that knows several hosts soon finds the new primary, whatever happened to the old one.</summary>
public sealed class NewPrimaryTests
{
    /// <summary>The aim is three seconds, on a machine that may be busy. The driver's defaults take ten.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_node_writes_soon_after_a_standby_was_promoted(bool stoodStill)
    {
        using var first = PostgresServer.Own();
        var database = first.CreateDatabase();
        using var second = PostgresServer.StandbyOf(first);
        var hosts = new NpgsqlConnectionStringBuilder(database)
        {
            Host = $"127.0.0.1:{first.Port},127.0.0.1:{second.Port}",
        };
        hosts.Remove("Port");
        await using var server = await TestServer.StartAsync(Backend.Postgres, postgres: hosts.ToString());
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        await FollowsAsync(second, database);
        if (stoodStill)
            first.Freeze(stands: true);
        else
            first.Crash();
        try
        {
            // It is asked meanwhile, so it has learned that no host accepts writes.
            for (var i = 0; i < 5; i++)
                Assert.NotInRange(await RunAsync(server), 200, 299);
            second.Promote();
            var since = Stopwatch.StartNew();
            while (await RunAsync(server) is not (>= 200 and < 300))
                Assert.True(since.Elapsed < Soon, $"the node does not write after {since.Elapsed}");
            Assert.True(since.Elapsed < Soon, $"the node wrote after {since.Elapsed}");
        }
        finally
        {
            if (stoodStill)
                first.Freeze(stands: false);
        }
    }

    private static async Task<int> RunAsync(TestServer server)
    {
        var status = (await server.PostAsync("/api/v1/runs", new { agent = "idle" })).Status;
        // A refusal may come at once.
        if (status >= 300)
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        return status;
    }

    /// <summary>Waits until a standby has all that its primary has written.</summary>
    private static async Task FollowsAsync(PostgresServer standby, string database)
    {
        var there = new NpgsqlConnectionStringBuilder(database) { Port = standby.Port, Pooling = false };
        await using var connection = new NpgsqlConnection(there.ToString());
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("SELECT COUNT(*) FROM agent WHERE slug = 'idle'", connection);
        await WaitFor.TrueAsync(async () => await command.ExecuteScalarAsync() is 1L);
    }
}
