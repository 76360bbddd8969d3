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
        // Loopback has ten times the bucket.
        for (var i = 0; i < 20; i++) Assert.Equal(401, (await server.GetAsync("/api/v1/keys", "pst_live_wrong")).Status);
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
        for (var i = 0; i < 5; i++) Assert.Equal(200, (await server.GetAsync("/api/v1/sessions/s", token)).Status);
        var slowed = await server.GetAsync("/api/v1/sessions/s", token);
        Assert.Equal(429, slowed.Status);
        Assert.Equal(("application/problem+json", "5", "0"), (slowed.Header("Content-Type"), slowed.Header("x-ratelimit-limit"), slowed.Header("x-ratelimit-remaining")));
        Assert.NotNull(slowed.Header("x-ratelimit-reset"));
        Assert.NotNull(slowed.Header("Retry-After"));
        Assert.Equal("*", slowed.Header("Access-Control-Allow-Origin"));
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => server.GetAsync("/realtime/v1/sessions/s/in/records")));
        Assert.Contains(answers, a => a.Status == 429);
        Assert.Contains(answers, a => a.Status == 200);
    }
}
