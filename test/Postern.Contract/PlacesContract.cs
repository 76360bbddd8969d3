using System.Collections.Concurrent;
using System.Text.Json;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Places at an agent, on both databases: never more than allowed, and waiting for one costs nothing.
/// </summary>
public sealed class PlacesContract
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_40_runs_at_once_no_more_are_under_way_than_the_agent_has_places(Backend backend)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(backend);
        await AgentAsync(server, "busy", receiver, 2);
        var runs = new ConcurrentQueue<string>();
        await Task.WhenAll(
            Enumerable
                .Range(0, 40)
                .Select(async _ =>
                    runs.Enqueue((await server.PostAsync("/api/v1/runs", new { agent = "busy" })).String("id"))
                )
        );
        for (var ended = 0; ended < 40; ended++)
        {
            var (_, body, _) = await receiver.NextAsync(ended + 1);
            Assert.InRange(receiver.Taken.Count, ended + 1, ended + 2);
            var run = body.GetProperty("data").GetProperty("run").GetProperty("id").GetString();
            Assert.Equal(
                200,
                (
                    await server.PostAsync(
                        $"/api/v1/runs/{run}/status",
                        new { status = "failed", failure = new { code = "x" } }
                    )
                ).Status
            );
        }
        Assert.Equal(40, receiver.Taken.Select(t => t.Headers["webhook-id"].ToString()).Distinct().Count());
    }

    [Theory]
    [InlineData(Backend.Sqlite, 1000)]
    [InlineData(Backend.Postgres, 1000)]
    internal async Task Sessions_that_wait_for_a_busy_agent_cost_no_writes_and_hold_nobody_up(
        Backend backend,
        int waiting
    )
    {
        RecordingDatabase recording = null!;
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(
            backend,
            wrap: inner => recording = new RecordingDatabase(inner)
        );
        await AgentAsync(server, "busy", receiver, 1);
        await Parallel.ForEachAsync(
            Enumerable.Range(0, waiting + 1),
            new ParallelOptions { MaxDegreeOfParallelism = 32 },
            async (i, _) =>
            {
                await server.StartSessionAsync("s" + i, agent: "busy");
                Assert.Equal(200, (await server.SayAsync("s" + i, "hello")).Status);
            }
        );
        await receiver.NextAsync();
        await WaitFor.TrueAsync(
            async () => await WaitingAsync(server) == waiting,
            TimeSpan.FromSeconds(60),
            "all others wait"
        );

        // From here on nothing happens but slow looks. What was under way a moment ago has been written by the second
        // of them.
        await LooksAsync(2);
        recording.Written.Clear();
        await LooksAsync(4);
        Assert.DoesNotContain(recording.Written, IsOfWaiting);

        await server.StartSessionAsync("other");
        await server.SayAsync("other", "and me?");
        await WaitFor.TrueAsync(
            async () =>
                (await server.GetAsync("/sessions/other/history")).Text.Contains(
                    "\"assistant\"",
                    StringComparison.Ordinal
                ),
            TimeSpan.FromSeconds(20),
            "the answer of another agent"
        );
        Assert.Single(receiver.Taken);
        Assert.Equal(waiting, await WaitingAsync(server));

        async Task LooksAsync(int count)
        {
            var done = new TaskCompletionSource();
            recording.Seen = sql =>
            {
                if (
                    sql.Contains("WHERE (project, agent) > ($1, $2) AND waits_at", StringComparison.Ordinal)
                    && Interlocked.Decrement(ref count) == 0
                )
                    done.TrySetResult();
            };
            await done.Task.WaitAsync(TimeSpan.FromSeconds(60));
        }

        static bool IsOfWaiting(string sql) =>
            sql.Contains("UPDATE run", StringComparison.Ordinal)
            || sql.Contains("UPDATE session", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_place_that_is_free_goes_to_whoever_has_waited_longest(Backend backend)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(backend);
        await AgentAsync(server, "busy", receiver, 1);
        var sessions = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            sessions.Add((await server.StartSessionAsync("s" + i, agent: "busy")).String("id"));
            await server.SayAsync("s" + i, "hello");
            if (i == 0)
                await receiver.NextAsync();
            else
                await WaitFor.TrueAsync(async () => await WaitingAsync(server) == i, what: $"{i} wait");
        }
        // Another message does not send one that waits to the end.
        await server.SayAsync("s1", "are you there?");
        for (var i = 0; i < 5; i++)
        {
            await WaitFor.TrueAsync(() => Task.FromResult(Dispatched().Count > i), what: $"dispatch {i + 1}");
            Assert.Equal(i + 1, Dispatched().Count);
            var dispatch = JsonSerializer.Deserialize<JsonElement>(Dispatched()[i]).GetProperty("data");
            Assert.Equal(sessions[i], dispatch.GetProperty("session").GetProperty("id").GetString());
            Assert.Equal(
                200,
                (
                    await server.PostAsync(
                        $"/api/v1/runs/{dispatch.GetProperty("run").GetProperty("id")}/cancel",
                        new { }
                    )
                ).Status
            );
        }

        List<string> Dispatched() =>
            [
                .. receiver
                    .Taken.Select(t => t.Body)
                    .Where(b => b.Contains("\"run.dispatched\"", StringComparison.Ordinal)),
            ];
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task More_places_are_taken_when_the_agent_is_given_them(Backend backend)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(backend);
        await AgentAsync(server, "busy", receiver, 1);
        for (var i = 0; i < 3; i++)
            await server.PostAsync("/api/v1/runs", new { agent = "busy" });
        await WaitFor.TrueAsync(async () => await WaitingAsync(server) == 2, what: "two wait");
        await AgentAsync(server, "busy", receiver, 3);
        await receiver.NextAsync(3);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task An_agent_is_removed_with_its_live_runs_while_more_come(Backend backend)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(backend);
        await AgentAsync(server, "gone", receiver, 4);
        await server.PostAsync(
            "/api/triggers/user/u/t",
            new
            {
                agent = "gone",
                promptTemplate = "{{body}}",
                sessionMode = "perTrigger",
            }
        );
        await Task.WhenAll(Enumerable.Range(0, 60).Select(i => server.StartSessionAsync("s" + i, agent: "gone")));
        var more = Task.WhenAll(
            Enumerable
                .Range(0, 60)
                .Select(i =>
                    i % 2 == 0
                        ? server.SayAsync("s" + i, "hello")
                        : server.SendAsync(
                            HttpMethod.Post,
                            "/inbound/user/u/t",
                            null,
                            "{}",
                            ("Idempotency-Key", "k" + i)
                        )
                )
        );
        Assert.Equal(
            204,
            (await server.SendAsync(HttpMethod.Delete, "/api/v1/agents/gone?force=1", server.RootKey)).Status
        );
        Assert.All(await more, a => Assert.True(a.Status < 500, a.ToString()));
        Assert.Equal(404, (await server.GetAsync("/api/v1/agents/gone")).Status);
    }

    private static async Task AgentAsync(TestServer server, string slug, Receiver receiver, int concurrency) =>
        Assert.True(
            (
                await server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/agents/" + slug,
                    server.RootKey,
                    new
                    {
                        kind = "http",
                        url = receiver.Url,
                        concurrency,
                    }
                )
            ).Status
                is 200
                    or 201
        );

    private static ValueTask<long> WaitingAsync(TestServer server) =>
        server.Database.ReadAsync(tx =>
            tx.FirstAsync("SELECT COUNT(*) FROM run WHERE waits_at IS NOT NULL", r => r.GetInt64(0))
        );
}
