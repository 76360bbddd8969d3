using System.Text;
using System.Text.Json;
using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Contract;

/// <summary>A server behind a relay, on both databases and on several nodes.</summary>
public sealed class PlaneContract
{
    private const int Envelopes = 24;

    private static RelayedRequest Request(int n) =>
        new("POST", $"/inbound/user/u/t{n % 4}", "203.0.113.7", [], Encoding.UTF8.GetBytes($"{{\"n\":{n}}}"));

    private static async Task PrepareAsync(TestServer server)
    {
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        for (var i = 0; i < 4; i++)
            await server.PostAsync(
                $"/api/triggers/user/u/t{i}",
                new
                {
                    agent = "idle",
                    promptTemplate = "{{body}}",
                    maxInFlight = 1000,
                }
            );
    }

    /// <summary>Joins the relay. Returns the connection, and envelopes that are not sent yet.</summary>
    private static async Task<(TestRelayConnection Connection, List<Frame> Frames)> JoinedAsync(
        TestServer server,
        TestRelay relay
    )
    {
        await PrepareAsync(server);
        await relay.JoinAsync(server);
        var connection = await relay.ConnectionAsync();
        return (connection, [.. Enumerable.Range(0, Envelopes).Select(n => relay.Seal(Request(n)))]);
    }

    private static void AllowPlain(Postern.Settings.PosternOptions options) =>
        (options.Relay.DangerousPlainHttp, options.Relay.Transport) = (true, "websocket");

    private static async Task<int> EffectsAsync(TestServer server)
    {
        var effects = 0;
        for (var i = 0; i < 4; i++)
            effects += (await server.GetAsync($"/api/triggers/user/u/t{i}"))
                .Json.GetProperty("data")
                .GetProperty("requestCount")
                .GetInt32();
        return effects;
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_repeated_envelope_has_one_effect_and_an_altered_one_ends_the_connection(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend, AllowPlain);
        await using var relay = await TestRelay.StartAsync();
        var (connection, frames) = await JoinedAsync(server, relay);
        foreach (var frame in frames.Concat(frames))
            await connection.SendAsync(frame);
        foreach (var frame in frames)
            Assert.Equal(200, (await relay.AnswerAsync(IdOf(frame))).Status);
        Assert.Equal(Envelopes, await EffectsAsync(server));
        await connection.SettleAsync([.. frames.Select(IdOf)]);
        var first = (EnvelopeHead)frames[0].Head;
        await connection.SendAsync(relay.Seal(Request(100), h => h with { Id = first.Id, Seq = first.Seq }));
        Assert.Equal(CloseCode.Protocol, await connection.Ended);
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/audit?limit=200")).Text.Contains("relay_altered", StringComparison.Ordinal)
        );
        Assert.Equal(Envelopes, await EffectsAsync(server));
    }

    [Fact]
    public async Task Two_nodes_with_the_same_envelope_have_one_effect_and_one_outcome()
    {
        var database = PostgresServer.NewDatabase();
        await using var one = await TestServer.StartAsync(Backend.Postgres, AllowPlain, database);
        await using var two = await TestServer.StartAsync(Backend.Postgres, AllowPlain, database);
        await using var relay = await TestRelay.StartAsync();
        await PrepareAsync(one);
        await relay.JoinAsync(one);
        // The other node hears of it by itself.
        TestRelayConnection[] nodes = [await relay.ConnectionAsync(), await relay.ConnectionAsync()];
        var frames = Enumerable.Range(0, Envelopes).Select(n => relay.Seal(Request(n))).ToList();
        await Task.WhenAll(
            nodes.Select(async node =>
            {
                foreach (var frame in frames)
                    await node.SendAsync(frame);
            })
        );
        foreach (var frame in frames)
        {
            await WaitFor.TrueAsync(() => Task.FromResult(relay.CountAnswers(IdOf(frame)) >= 2));
            lock (relay.Answers)
                Assert.Single(
                    relay
                        .Answers.Where(a => a.Head.Id == IdOf(frame))
                        .Select(a =>
                            JsonSerializer
                                .Deserialize<JsonElement>(a.Body)
                                .GetProperty("data")
                                .GetProperty("requestId")
                                .GetString()
                        )
                        .Distinct(StringComparer.Ordinal)
                );
        }
        Assert.Equal(Envelopes, await EffectsAsync(one));
    }

    /// <summary>What relays have handed over is remembered for as long as a repeat may come.</summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task What_no_repeat_can_come_of_any_more_is_removed(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend, AllowPlain);
        await using var relay = await TestRelay.StartAsync();
        var (connection, frames) = await JoinedAsync(server, relay);
        foreach (var frame in frames)
            await connection.SendAsync(frame);
        foreach (var frame in frames)
            Assert.Equal(200, (await relay.AnswerAsync(IdOf(frame))).Status);
        await server.Database.WriteAsync(tx =>
            tx.ExecuteAsync(
                """
                INSERT INTO joined_page (page, plane, project, approval, due_at, ended_at)
                VALUES ('pg_1', 'pln_1', 'p', 'a', NULL, $1), ('pg_2', 'pln_1', 'p', 'b', NULL, NULL)
                """,
                tx.Now
            )
        );
        await Sweeps.OfAllLoopsAsync(server);
        Assert.Equal((Envelopes, 2), (await CountAsync("relay_envelope"), await CountAsync("joined_page")));

        // A relay keeps requests for three days, and this server remembers them for one more. One came later.
        await server.Database.WriteAsync(tx =>
            tx.ExecuteAsync(
                "UPDATE relay_envelope SET taken_at = taken_at + $1 WHERE id = $2",
                2 * 86_400_000_000L,
                IdOf(frames[3])
            )
        );
        server.Clock.Advance(TimeSpan.FromDays(5));
        await Sweeps.OfAllLoopsAsync(server);
        Assert.Equal((1, 1), (await CountAsync("relay_envelope"), await CountAsync("joined_page")));

        ValueTask<long> CountAsync(string table) =>
            server.Database.ReadAsync(tx => tx.FirstAsync($"SELECT COUNT(*) FROM {table}", r => r.GetInt64(0)));
    }

    private static string IdOf(Frame frame) => ((EnvelopeHead)frame.Head).Id;
}
