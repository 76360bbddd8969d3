using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Runs;

/// <summary>Pull agents: claims, leases, heartbeats, and lost workers.</summary>
public sealed class ClaimTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/p",
            _server.RootKey,
            new { kind = "pull", retry = new { maxTries = 3 } }
        );
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private async Task<JsonElement> ClaimAsync(int lease = 60)
    {
        JsonElement data = default;
        await WaitFor.TrueAsync(async () =>
        {
            data = (
                await _server.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 5, leaseSeconds = lease })
            ).Json.GetProperty("data");
            return data.GetArrayLength() == 1;
        });
        return data[0];
    }

    [Fact]
    public async Task A_claim_waits_for_work_and_hands_it_over_with_attempt_and_token()
    {
        var waiting = _server.PostAsync(
            "/api/v1/agents/p/claim",
            new
            {
                max = 5,
                waitSeconds = 20,
                leaseSeconds = 30,
            }
        );
        var id = (await _server.PostAsync("/api/v1/runs", new { agent = "p", input = new { job = 7 } })).String("id");
        var claimed = (await waiting).Json.GetProperty("data")[0];
        Assert.Equal(
            (id, 1, 7, 30),
            (
                claimed.GetProperty("run").GetProperty("id").GetString(),
                claimed.GetProperty("run").GetProperty("attempt").GetInt32(),
                claimed.GetProperty("run").GetProperty("input").GetProperty("job").GetInt32(),
                claimed.GetProperty("leaseSeconds").GetInt32()
            )
        );
        var token = claimed.GetProperty("token").GetString();
        Assert.Equal("running", (await _server.PostAsync($"/api/v1/runs/{id}/heartbeat", null, token)).String("phase"));
        Assert.Equal(
            "succeeded",
            (
                await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "succeeded", output = 1 }, token)
            ).String("phase")
        );
        var late = await _server.PostAsync($"/api/v1/runs/{id}/heartbeat", null, token);
        Assert.Equal((409, "run_ended"), (late.Status, late.String("code")));
    }

    [Fact]
    public async Task A_lost_lease_is_offered_again_and_the_old_holder_refused()
    {
        var id = (await _server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
        var old = (await ClaimAsync(10)).GetProperty("token").GetString();
        _server.Clock.Advance(TimeSpan.FromSeconds(11));
        var again = await ClaimAsync();
        Assert.Equal(
            (id, 2),
            (
                again.GetProperty("run").GetProperty("id").GetString(),
                again.GetProperty("run").GetProperty("attempt").GetInt32()
            )
        );
        foreach (
            var (path, body) in new (string, object?)[]
            {
                ("status", new { status = "succeeded" }),
                ("heartbeat", null),
            }
        )
        {
            var refused = await _server.PostAsync($"/api/v1/runs/{id}/{path}", body, old);
            Assert.Equal(
                (409, "STALE_ATTEMPT", 2, 1),
                (
                    refused.Status,
                    refused.String("code"),
                    refused.Json.GetProperty("details").GetProperty("current_attempt").GetInt32(),
                    refused.Json.GetProperty("details").GetProperty("reported_attempt").GetInt32()
                )
            );
        }
        Assert.Equal(
            200,
            (
                await _server.PostAsync(
                    $"/api/v1/runs/{id}/status",
                    new { status = "succeeded" },
                    again.GetProperty("token").GetString()
                )
            ).Status
        );
        Assert.Contains(
            (await _server.GetAsync($"/api/v1/runs/{id}/events")).Json.GetProperty("data").EnumerateArray(),
            e => e.GetProperty("type").GetString() == "lease_lost"
        );
    }

    [Fact]
    public async Task Heartbeats_and_reports_keep_the_lease_and_waiting_needs_none()
    {
        var id = (await _server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
        var token = (await ClaimAsync(10)).GetProperty("token").GetString();
        for (var i = 0; i < 3; i++)
        {
            _server.Clock.Advance(TimeSpan.FromSeconds(7));
            Assert.Equal(
                200,
                (
                    await _server.PostAsync(
                        $"/api/v1/runs/{id}/{(i == 1 ? "status" : "heartbeat")}",
                        i == 1 ? new { status = "running", progress = 0.5 } : null,
                        token
                    )
                ).Status
            );
        }
        Assert.Equal(
            200,
            (await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "waiting" }, token)).Status
        );
        _server.Clock.Advance(TimeSpan.FromMinutes(30));
        Assert.Empty(
            (await _server.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 3 }))
                .Json.GetProperty("data")
                .EnumerateArray()
        );
        Assert.Equal(
            200,
            (await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "running" }, token)).Status
        );
        _server.Clock.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(2, (await ClaimAsync()).GetProperty("run").GetProperty("attempt").GetInt32());
    }

    [Fact]
    public async Task A_run_whose_workers_are_lost_again_and_again_fails()
    {
        var id = (await _server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
        for (var i = 0; i < 3; i++)
        {
            await ClaimAsync(10);
            _server.Clock.Advance(TimeSpan.FromSeconds(11));
        }
        var run = await _server.GetAsync($"/api/v1/runs/{id}?wait=20");
        Assert.Equal(
            ("failed", "lease_lost"),
            (run.String("phase"), run.Json.GetProperty("failure").GetProperty("code").GetString())
        );
    }

    [Fact]
    public async Task A_sessions_turn_is_claimed_answered_and_after_a_lost_lease_answered_by_another()
    {
        await _server.StartSessionAsync("s", agent: "p");
        await _server.SayAsync("s", "hello");
        var first = await ClaimAsync(10);
        Assert.Equal(
            "hello",
            first
                .GetProperty("session")
                .GetProperty("messages")[0]
                .GetProperty("content")[0]
                .GetProperty("text")
                .GetString()
        );
        _server.Clock.Advance(TimeSpan.FromSeconds(11));
        var second = await ClaimAsync();
        Assert.Equal(2, second.GetProperty("run").GetProperty("attempt").GetInt32());
        const string answer =
            "{\"records\":[{\"data\":{\"type\":\"text-delta\",\"id\":\"0\",\"delta\":\"hi\"}},"
            + "{\"headers\":{\"trigger-control\":\"turn-complete\"}}]}";
        Assert.Equal((403, "not_the_run"), await SendAsync(first, answer));
        Assert.Equal((403, "not_the_run"), await SendAsync(first, "{\"records\":[{\"data\":1}]}"));
        Assert.Equal((200, ""), await SendAsync(second, answer));
        Assert.Contains("\"hi\"", (await _server.GetAsync("/sessions/s/history")).Text, StringComparison.Ordinal);
        await _server.SayAsync("s", "again");
        Assert.Equal(
            first.GetProperty("run").GetProperty("id").GetString(),
            (await ClaimAsync()).GetProperty("run").GetProperty("id").GetString()
        );

        async Task<(int, string)> SendAsync(JsonElement claim, string body)
        {
            var sent = await _server.PostAsync(
                new Uri(claim.GetProperty("out").GetProperty("url").GetString()!).AbsolutePath,
                body,
                claim.GetProperty("token").GetString()
            );
            return (sent.Status, sent.Status == 200 ? "" : sent.String("code"));
        }
    }

    [Fact]
    public async Task Claiming_is_for_pull_agents_and_for_whoever_may()
    {
        Assert.Equal(
            (409, "not_pull"),
            (
                (await _server.PostAsync("/api/v1/agents/echo/claim", null)).Status,
                (await _server.PostAsync("/api/v1/agents/echo/claim", null)).String("code")
            )
        );
        Assert.Equal(404, (await _server.PostAsync("/api/v1/agents/nobody/claim", null)).Status);
        Assert.Equal(
            403,
            (
                await _server.PostAsync("/api/v1/agents/p/claim", null, await _server.KeyAsync("write:tasks:other"))
            ).Status
        );
        Assert.Equal(
            200,
            (await _server.PostAsync("/api/v1/agents/p/claim", null, await _server.KeyAsync("write:tasks:p"))).Status
        );
        Assert.Equal(400, (await _server.PostAsync("/api/v1/agents/p/claim", new { max = 101 })).Status);
        Assert.Equal(400, (await _server.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 56 })).Status);
    }
}
