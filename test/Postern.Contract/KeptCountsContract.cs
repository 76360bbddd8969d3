using Postern.Support;

namespace Postern.Contract;

/// <summary>The counts above a list of runs are kept, but never those of before a change.</summary>
public sealed class KeptCountsContract
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_list_shows_the_counts_of_now_after_each_change(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        var (_, cookie) = await ConsoleCookie.OfAsync(server, "read:runs");
        for (var i = 1; i <= 5; i++)
        {
            var run = (await server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
            Assert.Contains("phase=queued\">queued</a> 1</dd>", await ListAsync(), StringComparison.Ordinal);
            Assert.Equal(200, (await server.PostAsync($"/api/v1/runs/{run}/cancel", new { })).Status);
            var page = await ListAsync();
            Assert.Contains($"phase=cancelled\">cancelled</a> {i}</dd>", page, StringComparison.Ordinal);
            Assert.DoesNotContain("phase=queued\">", page, StringComparison.Ordinal);
        }

        async Task<string> ListAsync() =>
            (await server.SendAsync(HttpMethod.Get, "/console/runs", null, null, cookie.Headers)).Text;
    }
}
