using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.History;

public sealed class HistoryTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private Task<Answer> WriteAsync(object content, string key = "s", string role = "user") =>
        _server.PostAsync($"/sessions/{key}/messages", new { role, content });

    private async Task<List<long>> SeqsAsync(string query) =>
        [
            .. (await _server.GetAsync("/sessions/s/history" + query))
                .Json.GetProperty("messages")
                .EnumerateArray()
                .Select(m => m.GetProperty("__openclaw").GetProperty("seq").GetInt64()),
        ];

    [Fact]
    public async Task A_page_is_the_newest_window_in_order_and_pages_backwards_and_forwards()
    {
        for (var i = 1; i <= 7; i++)
            Assert.Equal(i, (await WriteAsync("m" + i)).Json.GetProperty("seq").GetInt32());
        var page = (await _server.GetAsync("/sessions/s/history?limit=3")).Json;
        Assert.Equal(
            ("agent:echo:s", true, "5"),
            (
                page.GetProperty("sessionKey").GetString(),
                page.GetProperty("hasMore").GetBoolean(),
                page.GetProperty("nextCursor").GetString()
            )
        );
        Assert.Equal(page.GetProperty("items").GetRawText(), page.GetProperty("messages").GetRawText());
        Assert.Equal([5, 6, 7], await SeqsAsync("?limit=3"));
        Assert.Equal([2, 3, 4], await SeqsAsync("?limit=3&cursor=5"));
        Assert.Equal([2, 3, 4], await SeqsAsync("?limit=3&cursor=seq:5"));
        Assert.Equal([1], await SeqsAsync("?limit=3&cursor=2"));
        Assert.False(
            (await _server.GetAsync("/sessions/s/history?limit=3&cursor=2")).Json.TryGetProperty("nextCursor", out _)
        );
        Assert.Equal([1, 2, 3], await SeqsAsync("?limit=3&after=0"));
        var forward = (await _server.GetAsync("/sessions/s/history?limit=3&after=3")).Json;
        Assert.Equal(
            (true, "6"),
            (forward.GetProperty("hasMore").GetBoolean(), forward.GetProperty("nextCursor").GetString())
        );
        Assert.Equal([7], await SeqsAsync("?limit=3&after=6"));
        Assert.Empty(await SeqsAsync("?after=7"));
        Assert.Equal(7, (await SeqsAsync("?limit=99999999999999999999")).Count);
        Assert.False(
            (await _server.GetAsync("/sessions/s/history?fields=items")).Json.TryGetProperty("messages", out _)
        );
    }

    [Theory]
    [InlineData("limit=", "limit must be a positive integer")]
    [InlineData("limit=0", "limit must be a positive integer")]
    [InlineData("limit=-1", "limit must be a positive integer")]
    [InlineData("limit=1.5", "limit must be a positive integer")]
    [InlineData("limit=ten", "limit must be a positive integer")]
    [InlineData("limit=%2B5", "limit must be a positive integer")]
    [InlineData("cursor=0", "cursor must be a positive integer")]
    [InlineData("cursor=", "cursor must be a positive integer")]
    [InlineData("cursor=seq:", "cursor must be a positive integer")]
    [InlineData("cursor=-2", "cursor must be a positive integer")]
    [InlineData("cursor=99999999999999999999", "cursor must be a positive integer")]
    [InlineData("after=-1", "after must be a non-negative integer")]
    [InlineData("after=", "after must be a non-negative integer")]
    [InlineData("after=1&cursor=2", "cursor and after exclude each other")]
    public async Task A_bad_query_is_refused_in_the_familys_shape(string query, string says)
    {
        await WriteAsync("m");
        var answer = await _server.GetAsync("/sessions/s/history?" + query);
        Assert.Equal(
            (400, $"{{\"error\":{{\"message\":\"{says}\",\"type\":\"invalid_request_error\"}}}}"),
            (answer.Status, answer.Text)
        );
    }

    [Fact]
    public async Task Refusals_have_their_exact_bodies()
    {
        Assert.Equal(
            "{\"error\":{\"message\":\"invalid session key\",\"type\":\"invalid_request_error\"}}",
            (await _server.GetAsync("/sessions/agent%3Ax/history")).Text
        );
        var none = await _server.GetAsync("/sessions/s/history", "wrong");
        Assert.Equal(
            (401, "{\"error\":{\"message\":\"Unauthorized\",\"type\":\"unauthorized\"}}"),
            (none.Status, none.Text)
        );
        var missing = await _server.GetAsync("/sessions/agent:echo:no%2Fone/history");
        Assert.Equal(
            (
                404,
                "{\"ok\":false,\"error\":{\"type\":\"not_found\",\"message\":\"Session not found: agent:echo:no/one\"}}"
            ),
            (missing.Status, missing.Text)
        );
        await WriteAsync("m");
        var narrow = await _server.GetAsync("/sessions/s/history", await _server.TokenAsync("read:sessions:other"));
        Assert.Equal(
            (404, "{\"ok\":false,\"error\":{\"type\":\"not_found\",\"message\":\"Session not found: s\"}}"),
            (narrow.Status, narrow.Text)
        );
        Assert.Equal(
            403,
            (await _server.GetAsync("/sessions/s/history", await _server.TokenAsync("write:sessions"))).Status
        );
        Assert.Equal(
            200,
            (await _server.GetAsync("/sessions/s/history", await _server.TokenAsync("read:sessions:s"))).Status
        );
    }

    [Fact]
    public async Task Internal_sessions_are_seen_with_admin_only()
    {
        Assert.Equal(201, (await WriteAsync("m", "agent:echo:subagent:x")).Status);
        var reader = await _server.KeyAsync("read:all", "write:all");
        foreach (var key in (string[])["agent:echo:subagent:x", "subagent:x", "cron:daily", "acp:1"])
            Assert.Equal(404, (await _server.GetAsync($"/sessions/{key}/history", reader)).Status);
        Assert.Equal(200, (await _server.GetAsync("/sessions/subagent:x/history")).Status);
        Assert.Equal(
            200,
            (await _server.GetAsync("/sessions/subagent:x/history", await _server.KeyAsync("admin"))).Status
        );
    }

    [Fact]
    public async Task A_long_text_is_cut_at_the_cap_and_never_inside_a_code_point()
    {
        var text = new string('x', 7999) + "😀" + new string('y', 100);
        await WriteAsync(text);
        var message = (await _server.GetAsync("/sessions/s/history")).Json.GetProperty("messages")[0];
        Assert.Equal(
            new string('x', 7999) + "\n...(truncated)...",
            message.GetProperty("content")[0].GetProperty("text").GetString()
        );
        Assert.Equal(
            (true, "display-cap"),
            (
                message.GetProperty("__openclaw").GetProperty("truncated").GetBoolean(),
                message.GetProperty("__openclaw").GetProperty("reason").GetString()
            )
        );
        var full = (await _server.GetAsync("/sessions/s/history?full=1")).Json.GetProperty("messages")[0];
        Assert.Equal(text, full.GetProperty("content")[0].GetProperty("text").GetString());
        Assert.False(full.GetProperty("__openclaw").TryGetProperty("truncated", out _));
    }

    [Fact]
    public async Task An_unchanged_page_is_304_and_may_travel_compressed()
    {
        await WriteAsync("hello hello hello hello");
        var first = await _server.GetAsync("/sessions/s/history");
        var etag = first.Header("ETag")!;
        Assert.Equal(304, (await _server.GetAsync("/sessions/s/history", null, ("If-None-Match", etag))).Status);
        Assert.Equal(
            200,
            (await _server.GetAsync("/sessions/s/history?limit=1", null, ("If-None-Match", etag))).Status
        );
        await WriteAsync("more");
        Assert.Equal(200, (await _server.GetAsync("/sessions/s/history", null, ("If-None-Match", etag))).Status);
        var zipped = await _server.GetAsync("/sessions/s/history", null, ("Accept-Encoding", "br;q=1, gzip"));
        Assert.Equal("gzip", zipped.Header("Content-Encoding"));
        using var plain = new StreamReader(
            new System.IO.Compression.GZipStream(
                new MemoryStream(zipped.Body),
                System.IO.Compression.CompressionMode.Decompress
            )
        );
        Assert.Equal((await _server.GetAsync("/sessions/s/history")).Text, await plain.ReadToEndAsync());
        Assert.Null(
            (await _server.GetAsync("/sessions/s/history", null, ("Accept-Encoding", "gzip;q=0"))).Header(
                "Content-Encoding"
            )
        );
    }

    [Theory]
    [InlineData("text/event-stream", true)]
    [InlineData("TEXT/Event-Stream; charset=UTF-8", true)]
    [InlineData("text/event-stream;q=0.1", true)]
    [InlineData("application/json, text/event-stream", true)]
    [InlineData("text/event-stream;q=0", false)]
    [InlineData("text/event-stream;q=x", false)]
    [InlineData("text/event-stream;charset=latin1", false)]
    [InlineData("*/*", false)]
    [InlineData("text/*", false)]
    [InlineData("application/json", false)]
    public async Task A_stream_is_asked_for_by_name(string accept, bool streams)
    {
        await WriteAsync("m");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/sessions/s/history");
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + _server.RootKey);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using var response = await _server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(
            streams ? "text/event-stream" : "application/json",
            response.Content.Headers.ContentType!.MediaType
        );
    }

    [Fact]
    public async Task A_stream_begins_with_the_json_body_and_follows_every_message_once()
    {
        await WriteAsync("one");
        var body = (await _server.GetAsync("/sessions/s/history")).Text;
        await using var stream = await _server.StreamAsync("/sessions/s/history");
        Assert.Equal("retry", (await stream.ReadAsync(TimeSpan.FromSeconds(5)))!.Name);
        var first = await stream.NextAsync();
        Assert.Equal(("history", "1", body), (first!.Name, first.Id, first.Data));
        var writing = Task.Run(async () =>
        {
            for (var i = 2; i <= 60; i++)
                await WriteAsync("m" + i);
        });
        for (var i = 2; i <= 60; i++)
        {
            var message = await stream.NextAsync();
            Assert.Equal(
                ("message", i.ToString(), i),
                (message!.Name, message.Id, message.Json.GetProperty("messageSeq").GetInt32())
            );
            Assert.Equal("agent:echo:s", message.Json.GetProperty("sessionKey").GetString());
        }
        await writing;
        await using var resumed = await _server.StreamAsync("/sessions/s/history", null, ("Last-Event-ID", "57"));
        foreach (var seq in (int[])[58, 59, 60])
            Assert.Equal(seq, (await resumed.NextAsync())!.Json.GetProperty("messageSeq").GetInt32());
    }

    [Fact]
    public async Task Deltas_show_text_that_is_still_being_made()
    {
        await _server.StartSessionAsync("s");
        await using var stream = await _server.StreamAsync("/sessions/s/history?deltas=1");
        await stream.NextAsync();
        await _server.SayAsync("s", "alpha beta");
        var (text, events) = ("", new List<ServerEvent>());
        while (await stream.NextAsync() is { } read)
        {
            events.Add(read);
            if (read.Name == "delta")
                text += read.Json.GetProperty("text").GetString();
            if (read.Name == "message" && read.Data.Contains("\"assistant\"", StringComparison.Ordinal))
                break;
        }
        Assert.StartsWith("alpha ", text, StringComparison.Ordinal);
        Assert.All(events.Where(e => e.Name == "delta"), e => Assert.Null(e.Id));
    }

    [Fact]
    public async Task A_message_is_committed_without_a_run_and_its_repeat_is_harmless()
    {
        var first = await _server.PostAsync(
            "/sessions/note/messages",
            new
            {
                role = "assistant",
                content = new[] { new { type = "text", text = "seeded" } },
                idempotencyKey = "k",
            }
        );
        var again = await _server.PostAsync(
            "/sessions/note/messages",
            new
            {
                role = "assistant",
                content = new[] { new { type = "text", text = "seeded" } },
                idempotencyKey = "k",
            }
        );
        Assert.Equal((201, 200, first.Text), (first.Status, again.Status, again.Text));
        Assert.Equal(
            409,
            (
                await _server.PostAsync(
                    "/sessions/note/messages",
                    new
                    {
                        role = "assistant",
                        content = "other",
                        idempotencyKey = "k",
                    }
                )
            ).Status
        );
        Assert.Equal(
            JsonValueKind.Null,
            (await _server.GetAsync("/api/v1/sessions/note")).Json.GetProperty("currentRunId").ValueKind
        );
        foreach (
            var bad in new object[]
            {
                new { role = "robot", content = "x" },
                new { role = "user" },
                new { role = "user", content = 7 },
                new { role = "user", content = new object[] { "text" } },
                new
                {
                    role = "user",
                    content = "x",
                    more = 1,
                },
            }
        )
            Assert.Equal(400, (await _server.PostAsync("/sessions/note/messages", bad)).Status);
        Assert.Equal(
            413,
            (
                await _server.PostAsync(
                    "/sessions/note/messages",
                    new { role = "user", content = new string('x', 1_100_000) }
                )
            ).Status
        );
        Assert.Equal(
            404,
            (
                await _server.PostAsync(
                    "/sessions/note/messages",
                    new { role = "user", content = "x" },
                    await _server.TokenAsync("write:sessions:other")
                )
            ).Status
        );
        Assert.Equal(
            201,
            (
                await _server.PostAsync(
                    "/sessions/note/messages",
                    new { role = "user", content = "x" },
                    await _server.TokenAsync("write:sessions:note")
                )
            ).Status
        );
    }

    [Fact]
    public async Task Killing_ends_the_live_run_and_the_clients_wait()
    {
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/stuck", _server.RootKey, new { kind = "pull" });
        await _server.StartSessionAsync("k", agent: "stuck");
        await _server.SayAsync("k", "hello");
        await using var stream = await _server.StreamAsync("/realtime/v1/sessions/k/out");
        Assert.Equal(
            "{\"ok\":true,\"killed\":true}",
            (await _server.PostAsync("/sessions/k/kill", null, await _server.KeyAsync("admin"))).Text
        );
        Assert.Contains(
            "cancelled by an operator",
            string.Concat(
                (await stream.RecordsAsync(r => r.Any(EventReader.IsTurnComplete))).Select(r => r.GetRawText())
            ),
            StringComparison.Ordinal
        );
        Assert.True((await _server.GetAsync("/api/v1/sessions/k")).Json.GetProperty("idle").GetBoolean());
    }

    [Fact]
    public async Task Ended_sessions_are_kept_for_their_retention_and_their_streams_told()
    {
        await using var server = await TestServer.StartAsync(set: o => o.Retention.ClosedSessionDays = 1);
        await server.StartSessionAsync("old");
        await server.SayAsync("old", "hello");
        await server.PostAsync("/api/v1/sessions/old/close", null);
        server.Clock.Advance(TimeSpan.FromDays(2));
        await WaitFor.TrueAsync(
            async () => (await server.GetAsync("/api/v1/sessions/old")).Status == 404,
            TimeSpan.FromSeconds(90)
        );
        Assert.Equal(
            0,
            await server.Database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM record", r => r.GetInt64(0)))
        );
        Assert.Equal(201, (await server.StartSessionAsync("old")).Status);
    }
}
