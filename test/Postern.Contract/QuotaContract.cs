using Postern.Support;

namespace Postern.Contract;

/// <summary>Quotas hold for many at once, on both databases.</summary>
public sealed class QuotaContract
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_many_at_once_no_more_are_made_than_there_may_be(Backend backend)
    {
        await using var server = await TestServer.StartAsync(
            backend,
            set: o => (o.Quotas.Endpoints, o.Quotas.Triggers, o.Quotas.Agents, o.Quotas.Keys) = (5, 5, 6, 8)
        );
        var makers = new (string Quota, int Most, Func<int, Task<Answer>> Make)[]
        {
            (
                "Endpoints",
                5,
                i =>
                    server.SendAsync(
                        HttpMethod.Put,
                        $"/api/v1/webhook-endpoints/e{i}",
                        server.RootKey,
                        new { url = "http://127.0.0.1:9/", events = new[] { "run.*" } }
                    )
            ),
            (
                "Triggers",
                5,
                i => server.PostAsync($"/api/triggers/user/u/t{i}", new { agent = "echo", promptTemplate = "x" })
            ),
            // The agent echo and the root key are there from the beginning.
            (
                "Agents",
                5,
                i => server.SendAsync(HttpMethod.Put, $"/api/v1/agents/a{i}", server.RootKey, new { kind = "pull" })
            ),
            ("Keys", 7, i => server.PostAsync("/api/v1/keys", new { name = "k" + i, scopes = new[] { "read:runs" } })),
        };
        foreach (var (quota, most, make) in makers)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(make));
            Assert.True(
                answers.Count(a => a.Status == 201) == most,
                $"{quota}: {answers.Count(a => a.Status == 201)} of {most}, {answers[^1]}"
            );
            Assert.All(
                answers.Where(a => a.Status != 201),
                a => Assert.True(a.Status == 409 && a.Text.Contains(quota, StringComparison.Ordinal), a.ToString())
            );
        }
        // What is there may be changed.
        Assert.Equal(
            200,
            (
                await server.SendAsync(HttpMethod.Put, "/api/v1/agents/echo", server.RootKey, new { kind = "echo" })
            ).Status
        );
    }
}
