using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Postern.Relay.Plane;
using Postern.Support;

namespace Postern.Contract;

/// <summary>Several nodes of a server at one relay: each of them shows the state of all.</summary>
public sealed class PlaneNodesContract
{
    [Fact]
    public async Task Each_node_shows_the_state_of_all_nodes_at_the_relay()
    {
        await using var relay = await RelayNode.StartAsync();
        var database = PostgresServer.NewDatabase();
        await using var one = await StartAsync(database);
        var two = await StartAsync(database);
        var key = one.RootKey;
        await one
            .App.Services.GetRequiredService<PlaneEnrolment>()
            .JoinAsync((await relay.CodeAsync()).ToString(), "office", default);
        await WaitFor.TrueAsync(
            async () => (await HoldingAsync(one, key)).Count == 2 && (await HoldingAsync(two, key)).Count == 2,
            what: "both nodes are shown by both"
        );
        foreach (var server in (TestServer[])[one, two])
            await WaitFor.TrueAsync(
                async () => (await HoldingAsync(server, key)).Count(holds => holds) == 1,
                what: "one of them is given requests"
            );
        Assert.Equal(
            (await NodesAsync(one, key)).Select(n => n.GetProperty("node").GetString()),
            (await NodesAsync(two, key)).Select(n => n.GetProperty("node").GetString()).Reverse()
        );
        Assert.All(
            new[] { await NodesAsync(one, key), await NodesAsync(two, key) },
            nodes => Assert.Equal([true, false], nodes.Select(n => n.GetProperty("this").GetBoolean()))
        );
        var (_, admin) = await ConsoleCookie.OfAsync(two, "admin");
        var page = await two.SendAsync(HttpMethod.Get, "/console/relay", null, null, admin.Headers);
        foreach (var node in await NodesAsync(two, key))
            Assert.Contains(node.GetProperty("node").GetString()!, page.Text, StringComparison.Ordinal);
        Assert.Contains("Connected.", page.Text, StringComparison.Ordinal);

        // A node that has died reports no more. A node that has stopped is removed.
        await one.Database.WriteAsync(tx =>
            tx.ExecuteAsync(
                """
                INSERT INTO joined_node (relay, node, host, seen_at, said)
                SELECT relay, 'dead', '<b>host</b>', $1, said FROM joined_node LIMIT 1
                """,
                tx.Now - 60_000_000
            )
        );
        page = await two.SendAsync(HttpMethod.Get, "/console/relay", null, null, admin.Headers);
        Assert.Contains("not heard since", page.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>host", page.Text, StringComparison.Ordinal);
        Assert.Contains("Connected.", page.Text, StringComparison.Ordinal);
        await two.DisposeAsync();
        await WaitFor.TrueAsync(
            async () => (await NodesAsync(one, key)).Count(n => n.GetProperty("node").GetString() != "dead") == 1,
            what: "a node that has stopped is not shown"
        );
        await WaitFor.TrueAsync(async () => (await HoldingAsync(one, key))[0], what: "the other one is given requests");
        var nodes = one.App.Services.GetRequiredService<PlaneNodes>();
        await one.Database.WriteAsync(tx =>
            tx.ExecuteAsync("UPDATE joined_node SET seen_at = $1 WHERE node = 'dead'", tx.Now - 3_700_000_000)
        );
        Assert.Equal(1, await nodes.ForgetAsync());
    }

    private static async Task<TestServer> StartAsync(string database) =>
        await TestServer.StartAsync(
            Backend.Postgres,
            o => (o.Relay.DangerousPlainHttp, o.Relay.Transport) = (true, "websocket"),
            database
        );

    private static async Task<List<JsonElement>> NodesAsync(TestServer server, string key) =>
        (await server.GetAsync("/api/v1/relay", key)).Json.GetProperty("data") is { } all && all.GetArrayLength() > 0
            ? [.. all[0].GetProperty("nodes").EnumerateArray()]
            : [];

    private static async Task<List<bool>> HoldingAsync(TestServer server, string key) =>
        [.. (await NodesAsync(server, key)).Select(n => n.GetProperty("connection").GetProperty("holds").GetBoolean())];
}
