using Postern.Support;

namespace Postern.Contract;

/// <summary>Triggers under concurrency, on both databases and on several nodes.</summary>
public sealed class TriggerContract
{
    [Fact]
    public async Task One_of_three_nodes_fires_an_occurrence()
    {
        var database = PostgresServer.NewDatabase();
        await using var one = await TestServer.StartAsync(Backend.Postgres, postgres: database);
        await using var two = await TestServer.StartAsync(Backend.Postgres, postgres: database);
        await using var three = await TestServer.StartAsync(Backend.Postgres, postgres: database);
        for (var i = 0; i < 10; i++)
            await one.PostAsync(
                $"/api/triggers/user/u/t{i}",
                new
                {
                    agent = "echo",
                    promptTemplate = "x",
                    activationMode = "scheduled",
                    cronExpression = "0 0 1 1 *",
                }
            );
        var now = one.Database.Now;
        // All become due at once, for all nodes.
        await one.Database.WriteAsync(async tx =>
            await tx.ExecuteAsync("UPDATE agent_trigger SET next_at = $1, due_at = $1", now)
        );
        await WaitFor.TrueAsync(async () =>
            await CountAsync("SELECT COUNT(*) FROM capture WHERE ended_at IS NOT NULL") == 10
        );
        Assert.Equal(10, await CountAsync("SELECT COUNT(*) FROM capture"));
        Assert.Equal(0, await CountAsync("SELECT COUNT(*) FROM agent_trigger WHERE due_at <= " + (now + 60_000_000)));
        Assert.Equal(0, await CountAsync("SELECT SUM(in_flight) FROM agent_trigger"));

        async Task<long> CountAsync(string sql) =>
            await one.Database.ReadAsync(tx => tx.FirstAsync(sql, r => Convert.ToInt64(r.GetValue(0))));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task One_of_64_webhooks_with_one_id_is_captured_and_all_learn_which(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.PostAsync("/api/triggers/user/u/t", new { agent = "echo", promptTemplate = "{{body}}" });
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 64)
                .Select(_ =>
                    server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, "{}", ("X-GitHub-Delivery", "the-one"))
                )
        );
        Assert.All(answers, a => Assert.True(a.Status == 200, a.ToString()));
        Assert.Single(answers.Select(a => a.Json.GetProperty("data").GetProperty("requestId").GetString()).Distinct());
        Assert.Equal(63, answers.Count(a => a.Json.GetProperty("data").TryGetProperty("duplicate", out _)));
        Assert.Equal(
            1,
            await server.Database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM run", r => r.GetInt64(0)))
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Sixty_four_requests_about_one_thing_share_one_conversation(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.PostAsync(
            "/api/triggers/user/u/t",
            new
            {
                agent = "echo",
                promptTemplate = "n={{body.n}};",
                sessionMode = "byKey",
                sessionKey = "{{body.issue}}",
                maxInFlight = 100,
            }
        );
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 64)
                .Select(n => server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, new { n, issue = 7 }))
        );
        Assert.All(answers, a => Assert.True(a.Status == 200, a.ToString()));
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/triggers/user/u/t/requests?status=success&limit=100"))
                .Json.GetProperty("data")
                .GetProperty("requests")
                .GetArrayLength() == 64
        );
        var sessions = (await server.GetAsync("/api/v1/sessions")).Json.GetProperty("data");
        Assert.Equal(1, sessions.GetArrayLength());
        var transcript = (
            await server.GetAsync($"/api/v1/sessions/{sessions[0].GetProperty("id").GetString()}/transcript")
        ).Text;
        for (var n = 0; n < 64; n++)
            Assert.Contains($"n={n};", transcript, StringComparison.Ordinal);
        Assert.Equal(
            0,
            (await server.GetAsync("/api/triggers/user/u/t"))
                .Json.GetProperty("data")
                .GetProperty("inFlight")
                .GetInt32()
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_failed_delivery_does_not_block_its_redelivery(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await using var agent = await Receiver.StartAsync();
        agent.Answers = _ => (401, "who are you");
        await PutAgentAsync();
        await server.PostAsync("/api/triggers/user/u/t", new { agent = "called", promptTemplate = "{{body}}" });

        var refused = await SendAsync("away", "{}");
        await WaitFor.TrueAsync(async () => await StatusAsync(refused.Id) == "failed dispatch_failed");
        agent.Answers = _ => (202, "");
        await PutAgentAsync();
        var taken = await SendAsync("away", "{}");
        Assert.False(taken.IsRepeat);
        Assert.Equal((taken.Id, true), await SendAsync("away", "{}"));

        var large = await SendAsync("large", new string('x', 100_001));
        Assert.Equal("failed prompt_too_long", await StatusAsync(large.Id));
        Assert.False((await SendAsync("large", new string('x', 100_001))).IsRepeat);
        var small = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => SendAsync("large", "small")));
        Assert.Single(small, s => !s.IsRepeat);
        Assert.Single(small.Select(s => s.Id).Distinct());

        // It was handed over, and nobody knows how far it got, so a redelivery does nothing.
        var known = await SendAsync("away", "{}");
        await server.SendAsync(HttpMethod.Delete, "/api/v1/agents/called?force=1", server.RootKey);
        await WaitFor.TrueAsync(async () => await StatusAsync(known.Id) == "failed agent_removed");
        await PutAgentAsync();
        Assert.Equal((known.Id, true), await SendAsync("away", "{}"));

        Task PutAgentAsync() =>
            server.SendAsync(
                HttpMethod.Put,
                "/api/v1/agents/called",
                server.RootKey,
                new { kind = "http", url = agent.Url }
            );

        async Task<(string Id, bool IsRepeat)> SendAsync(string delivery, string body)
        {
            var answer = await server.SendAsync(
                HttpMethod.Post,
                "/inbound/user/u/t",
                null,
                body,
                ("Content-Type", "text/plain"),
                ("Idempotency-Key", delivery)
            );
            Assert.True(answer.Status == 200, answer.ToString());
            var data = answer.Json.GetProperty("data");
            return (data.GetProperty("requestId").GetString()!, data.TryGetProperty("duplicate", out _));
        }

        async Task<string> StatusAsync(string id)
        {
            var capture = (await server.GetAsync("/api/triggers/user/u/t/requests/" + id)).Json.GetProperty("data");
            return $"{capture.GetProperty("processStatus").GetString()} {capture.GetProperty("reason").GetString()}";
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Two_guests_of_a_shop_are_two_and_a_customer_is_one(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.PostAsync(
            "/api/triggers/user/u/t",
            new
            {
                agent = "echo",
                promptTemplate = "x",
                sessionMode = "byKey",
                sessionKey = "shop-{{body.customer}}",
            }
        );
        var sessions = new List<string?>();
        foreach (
            var body in (string[])
                [
                    "{\"customer\":null}",
                    "{}",
                    "{\"customer\":\"\"}",
                    "{\"customer\":\" \\u0000\"}",
                    "{\"customer\":1}",
                    "{\"customer\":\"1\"}",
                ]
        )
        {
            var answer = await server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, body);
            var id = answer.Json.GetProperty("data").GetProperty("requestId").GetString();
            var path = "/api/triggers/user/u/t/requests/" + id;
            await WaitFor.TrueAsync(async () =>
                (await server.GetAsync(path)).Json.GetProperty("data").GetProperty("processStatus").GetString()
                == "success"
            );
            var capture = (await server.GetAsync(path)).Json.GetProperty("data");
            Assert.Equal(sessions.Count < 4 ? "session_key_missing" : null, capture.GetProperty("reason").GetString());
            sessions.Add(capture.GetProperty("cloudAgentSessionId").GetString());
        }
        Assert.Equal(5, sessions.Distinct().Count());
        Assert.Equal(sessions[4], sessions[5]);
    }
}
