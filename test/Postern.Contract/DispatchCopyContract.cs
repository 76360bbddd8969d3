using Postern.Support;

namespace Postern.Contract;

/// <summary>The copy of a dispatch is kept by both databases, and each attempt replaces it.</summary>
public sealed class DispatchCopyContract
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Each_attempt_leaves_what_it_sent_without_its_tokens(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await using var agent = await Receiver.StartAsync();
        agent.Answers = _ => (503, "");
        var kind = new { kind = "http", url = agent.Url };
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/w", server.RootKey, kind);
        var run = (await server.PostAsync("/api/v1/runs", new { agent = "w", input = new { order = 17 } })).String(
            "id"
        );
        var first = await CopyAsync(1);
        agent.Answers = _ => (202, "");
        Assert.Equal(200, (await server.PostAsync($"/api/v1/deliveries/{first.Id}/retry", null)).Status);
        var second = await CopyAsync(2);
        Assert.Equal(first.Id, second.Id);
        Assert.NotEqual(first.SentAt, second.SentAt);

        // The copy and the request of an attempt say the same, except the tokens.
        async Task<(string Id, string SentAt)> CopyAsync(int attempt)
        {
            var (_, sent, _) = await agent.NextAsync(attempt);
            var (id, body) = ("", sent);
            await WaitFor.TrueAsync(async () =>
            {
                var found = (await server.GetAsync("/api/v1/deliveries?subject=" + run)).Json.GetProperty("data")[0];
                id = found.GetProperty("id").GetString()!;
                return found.GetProperty("attemptCount").GetInt32() == attempt;
            });
            body = (await server.GetAsync("/api/v1/deliveries/" + id)).Json.GetProperty("body");
            var data = body.GetProperty("data");
            Assert.Equal("[REDACTED]", data.GetProperty("token").GetString());
            Assert.Equal(
                sent.GetProperty("data").GetProperty("run").GetRawText(),
                data.GetProperty("run").GetRawText()
            );
            var at = sent.GetProperty("timestamp").GetString()!;
            Assert.Equal(at, body.GetProperty("timestamp").GetString());
            return (id, at);
        }
    }
}
