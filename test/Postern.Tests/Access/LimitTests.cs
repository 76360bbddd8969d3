using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Access;

public sealed class LimitTests
{
    [Fact]
    public async Task Failures_are_slowed_down_and_a_right_credential_never_is()
    {
        await using var server = await TestServer.StartAsync(set: o => o.RateLimits.FailuresPerMinute = 2);
        await server.StartSessionAsync("s");
        await using var stream = await server.StreamAsync("/sessions/s/history");
        await stream.NextAsync();
        // Loopback has ten times the limit.
        for (var i = 0; i < 20; i++)
            Assert.Equal(401, (await server.GetAsync("/api/v1/keys", "pst_live_wrong")).Status);
        var slowed = await server.GetAsync("/api/v1/keys", "pst_live_wrong");
        Assert.Equal((429, "too_many_failures"), (slowed.Status, slowed.String("code")));
        Assert.True(int.Parse(slowed.Header("Retry-After")!) > 0);
        Assert.Equal(200, (await server.GetAsync("/api/v1/keys")).Status);
        Assert.Equal(403, (await server.GetAsync("/api/v1/keys", await server.KeyAsync("read:sessions"))).Status);
        await server.PostAsync("/sessions/s/messages", new { role = "user", content = "still here" });
        Assert.Equal("message", (await stream.NextAsync())!.Name);
    }

    [Fact]
    public async Task A_project_and_a_token_have_buckets_of_their_own()
    {
        await using var server = await TestServer.StartAsync(set: o =>
        {
            (o.RateLimits.ProjectBurst, o.RateLimits.ProjectPerSecond) = (30, 1);
            (o.RateLimits.TokenBurst, o.RateLimits.TokenPerSecond) = (5, 1);
        });
        await server.StartSessionAsync("s");
        var token = await server.TokenAsync("read:sessions");
        for (var i = 0; i < 5; i++)
            Assert.Equal(200, (await server.GetAsync("/api/v1/sessions/s", token)).Status);
        var slowed = await server.GetAsync("/api/v1/sessions/s", token);
        Assert.Equal(429, slowed.Status);
        Assert.Equal(
            ("application/problem+json", "5", "0"),
            (slowed.Header("Content-Type"), slowed.Header("x-ratelimit-limit"), slowed.Header("x-ratelimit-remaining"))
        );
        Assert.NotNull(slowed.Header("x-ratelimit-reset"));
        Assert.NotNull(slowed.Header("Retry-After"));
        Assert.Equal("*", slowed.Header("Access-Control-Allow-Origin"));
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 40).Select(_ => server.GetAsync("/realtime/v1/sessions/s/in/records"))
        );
        Assert.Contains(answers, a => a.Status == 429);
        Assert.Contains(answers, a => a.Status == 200);
    }

    [Fact]
    public async Task A_tokens_flood_costs_its_project_nothing_and_callbacks_have_a_budget_of_their_own()
    {
        await using var server = await TestServer.StartAsync(set: o =>
        {
            (o.RateLimits.ProjectBurst, o.RateLimits.ProjectPerSecond) = (40, 1);
            (o.RateLimits.TokenBurst, o.RateLimits.TokenPerSecond) = (5, 1);
            (o.RateLimits.CallbackBurst, o.RateLimits.CallbackPerSecond) = (10, 1);
        });
        var secret = (await server.PostAsync("/api/v1/callback-secrets", null)).String("secret");
        var token = await server.TokenAsync("read:sessions:only-mine");
        var flood = new List<Answer>();
        for (var i = 0; i < 200; i++)
            flood.Add(await server.GetAsync("/api/v1/sessions/other", token));
        Assert.InRange(flood.Count(a => a.Status == 429), 180, 195);
        for (var i = 0; i < 20; i++)
            Assert.Equal(200, (await server.GetAsync("/api/v1/keys")).Status);
        // The key has used up its budget; the orchestrator has its own, which also ends.
        for (var i = 0; i < 60; i++)
            await server.GetAsync("/api/v1/keys");
        Assert.Equal(429, (await server.GetAsync("/api/v1/keys")).Status);
        var reports = new List<int>();
        for (var i = 0; i < 20; i++)
            reports.Add(
                (
                    await server.SendAsync(
                        HttpMethod.Post,
                        "/internal/jobs/x/status",
                        null,
                        new { },
                        ("X-Callback-Secret", secret)
                    )
                ).Status
            );
        Assert.NotEqual(429, reports[0]);
        Assert.Equal(429, reports[^1]);
    }

    [Fact]
    public async Task One_token_holds_few_streams_open_and_a_place_is_free_again_when_one_ends()
    {
        await using var server = await TestServer.StartAsync(set: o =>
            (o.Quotas.StreamsPerToken, o.Quotas.StreamsPerKey) = (4, 6)
        );
        await server.StartSessionAsync("s");
        var token = await server.TokenAsync("read:sessions:s");
        foreach (var (credential, most) in new[] { (token, 4), (server.RootKey, 6) })
        {
            var open = new List<EventReader>();
            var answers = await Task.WhenAll(
                Enumerable
                    .Range(0, 20)
                    .Select(i =>
                        server.StreamAsync(
                            i % 2 == 0 ? "/sessions/s/history" : "/realtime/v1/sessions/s/out",
                            credential
                        )
                    )
            );
            Assert.Equal(most, answers.Count(a => a.Status == 200));
            Assert.Equal(20 - most, answers.Count(a => a.Status == 429));
            foreach (var answer in answers)
                await answer.DisposeAsync();
            await WaitFor.TrueAsync(() => Task.FromResult(server.HeldRequests == 0));
            await using var again = await server.StreamAsync("/sessions/s/history", credential);
            Assert.Equal(200, again.Status);
        }
    }

    [Fact]
    public async Task Colleagues_who_share_a_key_have_four_live_pages_each()
    {
        await using var server = await TestServer.StartAsync(set: o => o.Quotas.StreamsPerToken = 4);
        var (row, _) = await ConsoleCookie.OfAsync(server, "read:runs");
        var open = new List<EventReader>();
        for (var person = 0; person < 10; person++)
        {
            var cookie = await ConsoleCookie.OfAsync(server, row);
            for (var page = 0; page < 4; page++)
                open.Add(await server.StreamAsync("/console/runs/live", "", cookie.Headers));
        }
        Assert.All(open, stream => Assert.Equal(200, stream.Status));
        Assert.Equal(40, server.HeldRequests);
        foreach (var stream in open)
            await stream.DisposeAsync();
    }

    [Fact]
    public void No_number_of_callers_makes_more_buckets_than_are_kept()
    {
        var buckets = new TokenBuckets(TimeProvider.System);
        for (var i = 0; i < TokenBuckets.Kept + 20_000; i++)
            buckets.Take("caller " + i, 10, 0.001);
        Assert.InRange(buckets.Count, TokenBuckets.Kept, TokenBuckets.Kept + 1_024);
        // Callers that share one are still slowed down.
        Assert.Contains(Enumerable.Range(0, 100), _ => !buckets.Take("a late one", 10, 0.001).Allowed);
    }

    [Fact]
    public async Task Refused_strangers_make_few_rows_and_claimed_keys_are_not_named()
    {
        await using var server = await TestServer.StartAsync();
        var made = Postern
            .Access.ApiKey.Generate("root", server.RootKey.Split('_') is var parts ? "key_" + parts[2] : "")
            .Text;
        for (var i = 0; i < 300; i++)
            Assert.Equal(400, (await server.GetAsync($"/healthz?x={made}&n={i}", "")).Status);
        for (var i = 0; i < 300; i++)
            Assert.Equal(401, (await server.GetAsync("/api/v1/runs/" + i, "pst_live_wrong")).Status);
        Assert.Equal(400, (await server.GetAsync("/healthz?x=" + server.RootKey, "")).Status);
        server.Clock.Advance(TimeSpan.FromSeconds(70));
        List<System.Text.Json.JsonElement> rows = [];
        await WaitFor.TrueAsync(async () =>
        {
            rows = [.. (await server.GetAsync("/api/v1/audit?limit=200")).Json.GetProperty("data").EnumerateArray()];
            return rows.Any(r =>
                r.GetProperty("action").GetString() == "credential.refused" && r.GetProperty("times").GetInt64() == 300
            );
        });
        var exposed = rows.Where(r => r.GetProperty("action").GetString() == "key.exposed").ToList();
        Assert.InRange(exposed.Count, 1, 2);
        Assert.Equal(301, exposed.Sum(r => r.GetProperty("times").GetInt64()));
        Assert.DoesNotContain(
            exposed,
            r => r.GetProperty("times").GetInt64() > 1 && r.GetProperty("actor").GetString() is not null
        );
    }

    [Theory]
    [InlineData("203.0.113.9", "203.0.113.9")]
    [InlineData("203.0.113.9:51008", "203.0.113.9")]
    [InlineData("[2001:db8::1]:4711", "2001:db8::1")]
    [InlineData("6.6.6.6, 203.0.113.9", "203.0.113.9")]
    [InlineData("6.6.6.6, 203.0.113.9, 10.0.0.7", "203.0.113.9")]
    [InlineData("6.6.6.6, nonsense, 10.0.0.7", "10.0.0.7")]
    [InlineData("", "127.0.0.1")]
    [InlineData("10.0.0.7", "10.0.0.7")]
    [InlineData("1", "127.0.0.1")]
    public void The_client_is_the_last_address_that_is_no_proxy_of_ours(string forwarded, string client)
    {
        System.Net.IPNetwork[] trusted =
        [
            System.Net.IPNetwork.Parse("127.0.0.0/8"),
            System.Net.IPNetwork.Parse("10.0.0.0/8"),
        ];
        var headers = new Microsoft.AspNetCore.Http.HeaderDictionary { ["X-Forwarded-For"] = forwarded };
        Assert.Equal(client, ClientAddress.Of(System.Net.IPAddress.Loopback, headers, trusted).ToString());
        Assert.Equal(
            "192.0.2.1",
            ClientAddress.Of(System.Net.IPAddress.Parse("192.0.2.1"), headers, trusted).ToString()
        );
        if (
            forwarded.Contains(',', StringComparison.Ordinal)
            || forwarded.Length < 2
            || forwarded.StartsWith("10.", StringComparison.Ordinal)
        )
            return;
        var standard = new Microsoft.AspNetCore.Http.HeaderDictionary
        {
            ["Forwarded"] = $"for=6.6.6.6, for=\"{forwarded}\";proto=https",
        };
        Assert.Equal(client, ClientAddress.Of(System.Net.IPAddress.Loopback, standard, trusted).ToString());
    }

    [Fact]
    public async Task Behind_a_proxy_on_loopback_a_client_fails_as_often_as_any_other()
    {
        await using var server = await TestServer.StartAsync(set: o =>
            (o.RateLimits.FailuresPerMinute, o.Operators.TrustedProxies) = (5, ["127.0.0.0/8"])
        );
        var answers = new List<int>();
        for (var i = 0; i < 12; i++)
            answers.Add(
                (await server.GetAsync("/api/v1/keys", "pst_live_wrong", ("X-Forwarded-For", "203.0.113.9"))).Status
            );
        Assert.Equal(5, answers.Count(s => s == 401));
    }
}
