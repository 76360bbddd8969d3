using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Simultaneous requests over HTTP, on both databases: one wins, nothing is lost, nothing happens twice.
/// </summary>
public sealed class ConcurrencyTests
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Each_of_64_followers_of_a_timeline_gets_all_of_it(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        var runs = new List<string>();
        for (var i = 0; i < 8; i++)
        {
            var run = (await server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
            for (var n = 0; n < 10; n++)
                await server.PostAsync($"/api/v1/runs/{run}/status", new { status = "running" });
            runs.Add(run);
        }
        await Task.WhenAll(
            Enumerable
                .Range(0, 64)
                .Select(async i =>
                {
                    await using var stream = await server.StreamAsync($"/api/v1/runs/{runs[i % 8]}/events");
                    for (var seq = 1; seq <= 11; seq++)
                        Assert.Equal(seq, (await stream.NextAsync())!.Json.GetProperty("seq").GetInt32());
                })
        );
        Assert.DoesNotContain("beside its transaction", server.Log.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Sixty_four_starts_of_one_name_make_one_session_and_one_run(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => server.StartSessionAsync("one")));
        Assert.Equal(1, answers.Count(a => a.Status == 201));
        Assert.All(answers, a => Assert.True(a.Status is 200 or 201, a.ToString()));
        Assert.Equal(63, answers.Count(a => a.Status == 200));
        Assert.Single(answers.Select(a => a.String("id")).Distinct());
        Assert.Single(answers.Select(a => a.String("runId")).Distinct());
        Assert.Equal(
            1,
            await server.Database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM run", r => r.GetInt64(0)))
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite, "in")]
    [InlineData(Backend.Postgres, "in")]
    [InlineData(Backend.Sqlite, "out")]
    [InlineData(Backend.Postgres, "out")]
    [InlineData(Backend.Sqlite, "channels/side/in")]
    [InlineData(Backend.Postgres, "channels/side/in")]
    public async Task Sixty_four_appends_of_one_part_make_one_record(Backend backend, string channel)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.StartSessionAsync("s");
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 64)
                .Select(_ =>
                    server.PostAsync(
                        $"/realtime/v1/sessions/s/{channel}/append",
                        "the same",
                        null,
                        ("X-Part-Id", "part")
                    )
                )
        );
        Assert.All(answers, a => Assert.Equal((200, 0), (a.Status, a.Json.GetProperty("seq").GetInt32())));
        Assert.Equal(
            1,
            (await server.GetAsync($"/realtime/v1/sessions/s/{channel}/records"))
                .Json.GetProperty("records")
                .GetArrayLength()
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Appends_of_64_writers_are_numbered_densely_in_every_channel(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.StartSessionAsync("s");
        foreach (var channel in (string[])["out", "channels/side/out"])
        {
            var seqs = (
                await Task.WhenAll(
                    Enumerable
                        .Range(0, 64)
                        .Select(async w =>
                        {
                            var mine = new List<int>();
                            for (var i = 0; i < 5; i++)
                                mine.Add(
                                    (await server.PostAsync($"/realtime/v1/sessions/s/{channel}/append", $"{w} {i}"))
                                        .Json.GetProperty("seq")
                                        .GetInt32()
                                );
                            return mine;
                        })
                )
            ).SelectMany(m => m).Order();
            Assert.Equal(Enumerable.Range(0, 320), seqs);
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task An_append_and_a_close_at_once_give_one_of_the_two_outcomes(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        for (var round = 0; round < 10; round++)
        {
            var name = "race" + round;
            await server.StartSessionAsync(name);
            var appends = Enumerable
                .Range(0, 16)
                .Select(i => server.PostAsync($"/realtime/v1/sessions/{name}/out/append", "x" + i))
                .ToList();
            var close = server.PostAsync($"/api/v1/sessions/{name}/close", null);
            var answers = await Task.WhenAll(appends);
            Assert.Equal(200, (await close).Status);
            Assert.All(
                answers,
                a =>
                    Assert.True(
                        a.Status == 200 || (a.Status == 409 && a.String("code") == "session_closed"),
                        a.ToString()
                    )
            );
            // Every acknowledged append stands before the record of the close; none after it.
            var records = (await server.GetAsync($"/realtime/v1/sessions/{name}/out/records"))
                .Json.GetProperty("records")
                .EnumerateArray()
                .ToList();
            Assert.Equal(answers.Count(a => a.Status == 200) + 1, records.Count);
            Assert.Contains("session-closed", records[^1].GetRawText(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Simultaneous_messages_after_a_run_has_ended_start_one_continuation(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.StartSessionAsync("s");
        await server.PostAsync("/sessions/s/kill", null, await server.KeyAsync("admin"));
        await Task.WhenAll(Enumerable.Range(0, 32).Select(i => server.SayAsync("s", "word" + i)));
        Assert.Equal(
            2,
            await server.Database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM run", r => r.GetInt64(0)))
        );
        await WaitFor.TrueAsync(async () =>
        {
            var (unanswered, open) = await server.Database.ReadAsync(tx =>
                tx.FirstAsync(
                    "SELECT in_message_seq - in_answered_seq, turn_deadline FROM session",
                    r => (r.GetInt64(0), r.IsDBNull(1))
                )
            );
            return unanswered == 0 && open;
        });
        var answers = string.Concat(
            (await server.GetAsync("/sessions/s/history?limit=1000"))
                .Json.GetProperty("messages")
                .EnumerateArray()
                .Where(m => m.GetProperty("role").GetString() == "assistant")
                .Select(m => m.GetRawText())
        );
        for (var i = 0; i < 32; i++)
            Assert.Contains("word" + i, answers, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_conversation_works_from_start_to_close(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var token = (await server.StartSessionAsync("whole")).String("publicAccessToken");
        await using var stream = await server.StreamAsync("/realtime/v1/sessions/whole/out", token);
        await using var history = await server.StreamAsync("/sessions/whole/history", token);
        Assert.Equal("history", (await history.NextAsync())!.Name);
        await server.SayAsync("whole", "across the seam", token);
        await stream.RecordsAsync(r => r.Any(EventReader.IsTurnComplete));
        Assert.Equal("user", (await history.NextAsync())!.Json.GetProperty("message").GetProperty("role").GetString());
        Assert.Equal(
            "assistant",
            (await history.NextAsync())!.Json.GetProperty("message").GetProperty("role").GetString()
        );
        Assert.Equal(
            1,
            (await server.GetAsync("/api/v1/sessions?filter[tags]=none&filter[status]=ACTIVE,IDLE&filter[type]=chat"))
                .Json.GetProperty("data")
                .GetArrayLength() + 1
        );
        var key = await server.PostAsync("/api/v1/keys", new { name = "k" });
        Assert.Equal(
            200,
            (await server.PostAsync($"/api/v1/keys/{key.String("id")}/rotate", new { overlapSeconds = 0 })).Status
        );
        Assert.Equal(401, (await server.GetAsync("/api/v1/sessions/whole", key.String("key"))).Status);
        Assert.Equal(200, (await server.PostAsync("/api/v1/auth/revoke", new { token })).Status);
        Assert.Equal("revoked", (await history.NextAsync())!.Json.GetProperty("reason").GetString());
        await server.PostAsync("/api/v1/sessions/whole/close", new { reason = "done" });
        Assert.Equal("CLOSED", (await server.GetAsync("/api/v1/sessions/whole")).String("status"));
        Assert.NotEmpty((await server.GetAsync("/api/v1/audit")).Json.GetProperty("data").EnumerateArray());
    }
}
