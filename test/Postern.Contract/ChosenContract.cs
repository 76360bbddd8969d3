using Postern.Support;

namespace Postern.Contract;

/// <summary>Bulk actions on things that were chosen by their ids, on both databases.</summary>
public sealed class ChosenContract
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Only_the_chosen_of_every_kind_are_touched(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = _ => (503, "later");
        var captures = await server.FullTriggerAsync("t", 3);
        var endpoint = new { url = receiver.Url, events = new[] { "run.created" } };
        await server.SendAsync(HttpMethod.Put, "/api/v1/webhook-endpoints/orders", server.RootKey, endpoint);
        for (var i = 0; i < 3; i++)
        {
            await server.PostAsync("/api/v1/runs", new { agent = "idle" });
            await server.StartSessionAsync("s" + i, agent: "idle");
        }

        foreach (
            var (action, list) in ((string, string)[])
                [
                    ("runs.cancel", "/api/v1/runs?phase=queued"),
                    ("deliveries.cancel", "/api/v1/deliveries?endpoint=orders"),
                    ("sessions.close", "/api/v1/sessions?filter[status]=ACTIVE"),
                ]
        )
        {
            var ids = await IdsAsync(server, list);
            Assert.True(ids.Count >= 3, $"{list} has {ids.Count}");
            await TouchesAsync(server, action, new { id = new[] { ids[0], ids[2], "none_of_ours" } }, ids[0], ids[2]);
            // With another condition, both must hold.
            Assert.Equal(0, await MatchedAsync(server, action, new { id = ids[1], created = "..2001-01-01" }));
        }

        const string trigger = "user/u/t";
        await server.PostAsync(
            "/api/triggers/" + trigger,
            new
            {
                agent = "idle",
                promptTemplate = "x",
                maxInFlight = 20,
            }
        );
        await TouchesAsync(server, "captures.replay", new { trigger, id = captures[1] }, captures[1]);
        // The capture of another trigger is not found by its id.
        await server.FullTriggerAsync("other", 1);
        Assert.Equal(
            0,
            await MatchedAsync(server, "captures.replay", new { trigger = "user/u/other", id = captures[0] })
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task What_one_may_not_see_is_not_found_by_its_id(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        // Only administrators see what the server keeps for itself.
        await server.StartSessionAsync("cron:nightly", agent: "idle");
        var run = (await IdsAsync(server, "/api/v1/runs"))[0];
        var (_, key) = await server.NamedKeyAsync("canceller", "write:runs");
        var open = (await server.PostAsync("/api/v1/runs", new { agent = "idle" })).String("id");
        var found = await server.PreviewAsync("runs.cancel", new { id = new[] { run, open } }, key);
        Assert.Equal(1, found.Json.GetProperty("matched").GetInt64());
        Assert.Equal(2, await MatchedAsync(server, "runs.cancel", new { id = new[] { run, open } }));
    }

    [Fact]
    public async Task As_many_as_a_list_shows_can_be_chosen_and_no_more()
    {
        await using var server = await TestServer.StartAsync();
        var ids = Enumerable.Range(0, 201).Select(i => "run_" + i).ToArray();
        Assert.Equal(0, await MatchedAsync(server, "runs.cancel", new { id = ids[..200] }));
        var many = await server.PreviewAsync("runs.cancel", new { id = ids });
        Assert.Equal((400, "invalid_filter"), (many.Status, many.String("code")));
        Assert.Contains("filter.id must have 1 to 200 values", many.Text, StringComparison.Ordinal);
        foreach (var id in (object[])["", Array.Empty<string>(), new[] { "a", "" }, 7, new[] { "a\0" }, "b\0"])
        {
            var bad = await server.PreviewAsync("runs.cancel", new { id });
            Assert.True(bad.Status == 400, $"{id}: {bad}");
        }

        // And in the address of the console's question, once for each row.
        var (_, cookie) = await ConsoleCookie.OfAsync(server, "write:runs");
        Assert.Equal(200, (await AskAsync(ids[..200])).Status);
        Assert.Equal(400, (await AskAsync(ids)).Status);
        Assert.Equal(400, (await AskAsync([new string('x', 257)])).Status);

        Task<Answer> AskAsync(string[] chosen) =>
            server.SendAsync(
                HttpMethod.Get,
                "/console/bulk/ask?action=runs.cancel&" + string.Join('&', chosen.Select(c => "id=" + c)),
                null,
                null,
                cookie.Headers
            );
    }

    private static async Task TouchesAsync(TestServer server, string action, object filter, params string[] chosen)
    {
        var preview = (await server.PreviewAsync(action, filter)).Json;
        Assert.Equal(
            chosen.Order(StringComparer.Ordinal),
            preview.GetProperty("sample").EnumerateArray().Select(s => s.GetString()).Order(StringComparer.Ordinal)
        );
        var job = await server.EndedBulkAsync(await server.StartBulkAsync(action, filter));
        Assert.Equal((chosen.Length, chosen.Length, 0, 0), BulkCalls.Numbers(job));
    }

    private static async Task<long> MatchedAsync(TestServer server, string action, object filter) =>
        (await server.PreviewAsync(action, filter)).Json.GetProperty("matched").GetInt64();

    private static async Task<List<string>> IdsAsync(TestServer server, string path) =>
        [
            .. (await server.GetAsync(path))
                .Json.GetProperty("data")
                .EnumerateArray()
                .Select(one => one.GetProperty("id").GetString()!),
        ];
}
