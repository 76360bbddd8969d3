using System.Text.Json;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// There is one time: nodes with different clocks agree, and a clock that is set wrongly for some seconds fires no
/// deadline and ends no lease or token.
/// </summary>
public sealed class ClockTests
{
    public static TheoryData<Backend, int> Steps =>
        new()
        {
            { Backend.Sqlite, 2 },
            { Backend.Sqlite, -2 },
            { Backend.Postgres, 2 },
            { Backend.Postgres, -2 },
        };

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task A_clock_that_is_two_hours_off_for_some_seconds_changes_nothing_that_is_due(
        Backend backend,
        int hours
    )
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        var runs = new List<string>();
        for (var i = 0; i < 5; i++)
            runs.Add(
                (await server.PostAsync("/api/v1/runs", new { agent = "idle", deadlineSeconds = 3600 })).String("id")
            );
        var session = await server.StartSessionAsync("clocked", agent: "idle");
        var claimed = (await server.PostAsync("/api/v1/agents/idle/claim", new { leaseSeconds = 60 })).Json.GetProperty(
            "data"
        )[0];
        var token = claimed.GetProperty("token").GetString()!;
        var browser = await server.TokenAsync("read:sessions:clocked");
        var schedule = await server.PostAsync(
            "/api/triggers/user/u/daily",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                activationMode = "scheduled",
                cronExpression = "0 8 * * *",
            }
        );
        Assert.Equal(201, schedule.Status);
        var next = await NextAsync(server);

        server.Clock.SetWrong(TimeSpan.FromHours(hours));
        await server.Database.FollowClockAsync(default);
        await EveryLoopLooksAsync();
        var made = (
            await server.PostAsync("/api/v1/auth/public-tokens", new { scopes = new[] { "read:sessions" } })
        ).String("token");
        Assert.Equal(200, (await server.GetAsync("/api/v1/sessions", made)).Status);
        server.Clock.SetWrong(TimeSpan.Zero);
        await server.Database.FollowClockAsync(default);
        await EveryLoopLooksAsync();

        foreach (var run in runs)
            Assert.Contains(
                (await server.GetAsync("/api/v1/runs/" + run)).String("phase"),
                (string[])["queued", "running"]
            );
        Assert.Equal(
            JsonValueKind.Null,
            (await server.GetAsync("/api/v1/sessions/clocked")).Json.GetProperty("closedAt").ValueKind
        );
        Assert.Equal(200, (await server.GetAsync("/api/v1/sessions/clocked", browser)).Status);
        Assert.Equal(200, (await server.GetAsync("/api/v1/sessions", made)).Status);
        // The worker still holds its run.
        var id = claimed.GetProperty("run").GetProperty("id").GetString();
        Assert.Equal(200, (await server.PostAsync($"/api/v1/runs/{id}/heartbeat", new { }, token)).Status);
        Assert.Equal(next, await NextAsync(server));
        Assert.True(session.Status is 200 or 201);
    }

    [Fact]
    public async Task Nodes_whose_machines_are_a_minute_apart_agree()
    {
        var database = PostgresServer.NewDatabase();
        await using var right = await TestServer.StartAsync(Backend.Postgres, postgres: database);
        var before = right.Database.Now;
        await using var wrong = await TestServer.StartAsync(
            Backend.Postgres,
            postgres: database,
            clockOff: TimeSpan.FromSeconds(60)
        );
        await using var slow = await TestServer.StartAsync(
            Backend.Postgres,
            postgres: database,
            clockOff: TimeSpan.FromSeconds(-60)
        );
        Assert.InRange(wrong.Database.Now - right.Database.Now, -1_000_000, 1_000_000);
        Assert.InRange(slow.Database.Now - right.Database.Now, -1_000_000, 1_000_000);

        var servers = new[] { right, wrong, slow };
        foreach (var maker in servers)
        {
            var token = (
                await maker.PostAsync(
                    "/api/v1/auth/public-tokens",
                    new { scopes = new[] { "read:sessions" } },
                    right.RootKey
                )
            ).String("token");
            foreach (var reader in servers)
                Assert.Equal(200, (await reader.GetAsync("/api/v1/sessions", token)).Status);
        }
        // The ids of all nodes are ordered by their creation.
        var ids = new List<string>();
        for (var i = 0; i < 30; i++)
        {
            ids.Add(Id.New("x", servers[i % 3].Database.Now));
            await Task.Delay(20);
        }
        Assert.Equal(ids.Order(StringComparer.Ordinal), ids);
        Assert.InRange(right.Database.Now - before, 0, 120_000_000);
    }

    private static async Task<string?> NextAsync(TestServer server) =>
        (await server.GetAsync("/api/triggers/user/u/daily"))
            .Json.GetProperty("data")
            .GetProperty("nextRunAt")
            .GetString();

    /// <summary>Loops look each second at least.</summary>
    private static Task EveryLoopLooksAsync() => Task.Delay(TimeSpan.FromSeconds(2.5));
}
