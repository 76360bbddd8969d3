using Postern.Support;

namespace Postern.Contract;

/// <summary>A session has a limit of bytes, and a full session does not affect others. On both databases.</summary>
public sealed class QuotaTests
{
    private const string Channels = "/realtime/v1/sessions/s";

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_session_that_is_full_takes_no_more(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend, o => o.Quotas.SessionBytes = 100_000);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        await server.StartSessionAsync("s", agent: "p");
        var (text, taken) = (new string('x', 9_000), 0);
        // By every way in: one record, a batch, a message, a side channel.
        Func<Task<Answer>>[] ways =
        [
            () => server.PostAsync(Channels + "/out/append", text),
            () => server.PostAsync(Channels + "/out/records", new { records = new[] { new { data = text } } }),
            () => server.PostAsync(Channels + "/in/append", Chat.Message("s", text)),
            () => server.PostAsync(Channels + "/channels/side/out/append", text),
        ];
        while (taken < 100 && (await ways[taken % ways.Length]()).Status == 200)
            taken++;
        Assert.InRange(taken, 6, 12);
        foreach (var way in ways)
        {
            var refused = await way();
            Assert.Equal(
                (409, "quota_reached", "SessionBytes", "false"),
                (refused.Status, refused.String("code"), refused.String("quota"), refused.Header("x-should-retry"))
            );
        }

        // A record that ends something is accepted, and repeats are recognised.
        Assert.Equal(200, (await server.PostAsync(Channels + "/in/append", "{\"kind\":\"stop\"}")).Status);
        const string complete = """{"records":[{"headers":{"trigger-control":"turn-complete"}}]}""";
        Assert.Equal(200, (await server.PostAsync(Channels + "/out/records", complete)).Status);
        Assert.Equal(200, (await server.PostAsync("/api/v1/sessions/s/close", new { })).Status);
        // Another session is as empty as ever.
        await server.StartSessionAsync("t", agent: "p");
        Assert.Equal(200, (await server.PostAsync("/realtime/v1/sessions/t/out/append", text)).Status);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_repeat_of_what_a_full_session_has_taken_gets_the_first_outcome(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend, o => o.Quotas.SessionBytes = 5_000);
        await server.StartSessionAsync("s");
        Task<Answer> Append() =>
            server.SendAsync(
                HttpMethod.Post,
                Channels + "/out/append",
                server.RootKey,
                new string('x', 9_000),
                ("X-Part-Id", "one")
            );
        Assert.Equal((await Append()).Text, (await Append()).Text);
        Assert.Equal(409, (await server.PostAsync(Channels + "/out/append", "more")).Status);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_trigger_whose_conversation_is_full_begins_another(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend, o => o.Quotas.SessionBytes = 5_000);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        await server.PostAsync(
            "/api/triggers/user/u/t",
            new
            {
                agent = "p",
                promptTemplate = "{{body}}",
                sessionMode = "perTrigger",
            }
        );
        for (var i = 0; i < 4; i++)
        {
            var body = $"{{\"n\":{i},\"x\":\"{new string('x', 3_000)}\"}}";
            Assert.Equal(200, (await server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, body)).Status);
        }
        var made = await server.Database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT COUNT(*), COUNT(DISTINCT session) FROM capture WHERE session IS NOT NULL",
                r => (r.GetInt64(0), r.GetInt64(1))
            )
        );
        Assert.Equal((4, 3), made);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Bytes_are_counted_once_by_every_way_in(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.StartSessionAsync("s");
        await server.SayAsync("s", "one two three");
        await WaitFor.TrueAsync(async () => await CountAsync("SELECT out_settled FROM session") == 1);
        await Task.WhenAll(
            Enumerable.Range(0, 20).Select(i => server.PostAsync(Channels + "/out/append", new string('y', i)))
        );
        await server.PostAsync(Channels + "/channels/side/in/append", "side");
        await server.PostAsync(
            Channels + "/out/records",
            new { records = new[] { new { data = "a" }, new { data = "bb" } } }
        );
        var stored = await CountAsync("SELECT SUM(octet_length(body)) FROM record");
        // Headers of control records are counted a little otherwise than they are kept.
        Assert.InRange(await CountAsync("SELECT bytes FROM session") - stored, 0, 200);

        ValueTask<long> CountAsync(string sql) =>
            server.Database.ReadAsync(tx => tx.FirstAsync($"SELECT CAST(({sql}) AS bigint)", r => r.GetInt64(0)));
    }
}
