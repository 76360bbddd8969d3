using System.Text;
using Postern.Support;

namespace Postern.Tests.Sessions;

public sealed class ChannelTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        await _server.StartSessionAsync("s");
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private const string Out = "/realtime/v1/sessions/s/out";

    [Fact]
    public async Task A_record_is_wrapped_numbered_from_0_and_read_back()
    {
        Assert.Equal(
            "{\"ok\":true,\"seq\":0}",
            (await _server.PostAsync(Out + "/append", "any \"text\"\n☂", null, ("X-Part-Id", "p1"))).Text
        );
        Assert.Equal(1, (await _server.PostAsync(Out + "/append", "more")).Json.GetProperty("seq").GetInt64());
        var records = (await _server.GetAsync(Out + "/records")).Json.GetProperty("records");
        Assert.Equal(
            ("any \"text\"\n☂", "p1", 0),
            (
                records[0].GetProperty("data").GetString(),
                records[0].GetProperty("id").GetString(),
                records[0].GetProperty("seqNum").GetInt32()
            )
        );
        Assert.Equal(
            1,
            (await _server.GetAsync(Out + "/records?afterEventId=0")).Json.GetProperty("records").GetArrayLength()
        );
        Assert.Equal(
            1,
            (await _server.GetAsync(Out + "/records?limit=1")).Json.GetProperty("records").GetArrayLength()
        );
        Assert.Equal(
            "1",
            (await _server.SendAsync(HttpMethod.Head, Out, _server.RootKey)).Header("X-Last-Chunk-Index")
        );
        Assert.Equal(
            "-1",
            (await _server.SendAsync(HttpMethod.Head, "/realtime/v1/sessions/s/in", _server.RootKey)).Header(
                "X-Last-Chunk-Index"
            )
        );
        Assert.Equal(400, (await _server.GetAsync(Out + "/records?afterEventId=x")).Status);
        Assert.Equal(400, (await _server.GetAsync(Out + "/records?limit=1001")).Status);
        Assert.Equal(501, (await _server.SendAsync(HttpMethod.Put, Out, _server.RootKey)).Status);
        Assert.Equal(404, (await _server.GetAsync("/realtime/v1/sessions/s/sideways/records")).Status);
    }

    [Fact]
    public async Task The_same_part_again_is_one_record_and_another_body_under_it_a_conflict()
    {
        Assert.Equal(
            0,
            (await _server.PostAsync(Out + "/append", "body", null, ("X-Part-Id", "p")))
                .Json.GetProperty("seq")
                .GetInt64()
        );
        Assert.Equal(
            0,
            (await _server.PostAsync(Out + "/append", "body", null, ("X-Part-Id", "p")))
                .Json.GetProperty("seq")
                .GetInt64()
        );
        var other = await _server.PostAsync(Out + "/append", "another", null, ("X-Part-Id", "p"));
        Assert.Equal(
            (409, "part_id_mismatch", "false"),
            (other.Status, other.String("code"), other.Header("x-should-retry"))
        );
        Assert.Equal(
            1,
            (await _server.PostAsync(Out + "/append", "next", null, ("X-Part-Id", "q")))
                .Json.GetProperty("seq")
                .GetInt64()
        );
        await _server.PostAsync("/api/v1/sessions/s/close", null);
        Assert.Equal(200, (await _server.PostAsync(Out + "/append", "body", null, ("X-Part-Id", "p"))).Status);
        Assert.Equal(
            400,
            (await _server.PostAsync(Out + "/append", "x", null, ("X-Part-Id", new string('p', 257)))).Status
        );
    }

    [Fact]
    public async Task Appending_to_out_needs_a_key_or_the_runs_own_token()
    {
        var client = await _server.TokenAsync("write:sessions", "read:sessions");
        var refused = await _server.PostAsync(Out + "/append", "I am the agent", client);
        Assert.Equal(
            (403, "{\"ok\":false,\"error\":\"Appending to the out channel requires secret key authentication\"}"),
            (refused.Status, Sorted(refused.Text))
        );
        Assert.Equal(
            403,
            (await _server.PostAsync("/realtime/v1/sessions/s/channels/side/out/append", "x", client)).Status
        );
        Assert.Equal(
            200,
            (await _server.PostAsync("/realtime/v1/sessions/s/channels/side/in/append", "x", client)).Status
        );

        static string Sorted(string text) =>
            text.StartsWith("{\"error\"", StringComparison.Ordinal)
                ? "{\"ok\":false," + text[1..].Replace(",\"ok\":false", "", StringComparison.Ordinal)
                : text;
    }

    [Fact]
    public async Task Bodies_have_limits_and_must_be_text()
    {
        Assert.Equal(413, (await _server.PostAsync(Out + "/append", new byte[(1024 * 1024) + 1])).Status);
        Assert.Equal(
            200,
            (await _server.PostAsync(Out + "/append", Encoding.ASCII.GetBytes(new string('x', 1024 * 1024)))).Status
        );
        Assert.Equal(400, (await _server.PostAsync(Out + "/append", (byte[])[0xff, 0xfe])).Status);
        Assert.Equal(400, (await _server.PostAsync(Out + "/append", Array.Empty<byte>())).Status);
        Assert.Equal(400, (await _server.PostAsync(Out + "/records", new { records = Array.Empty<object>() })).Status);
        Assert.Equal(
            400,
            (
                await _server.PostAsync(Out + "/records", new { records = Enumerable.Repeat(new { data = 1 }, 1001) })
            ).Status
        );
        Assert.Contains(
            "records[1].data",
            (await _server.PostAsync(Out + "/records", "{\"records\":[{\"data\":1},{}]}")).String("error"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "records[0].headers",
            (await _server.PostAsync(Out + "/records", "{\"records\":[{\"headers\":{\"a\":1}}]}")).String("error"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "twice",
            (
                await _server.PostAsync(
                    Out + "/records",
                    "{\"records\":[{\"data\":1,\"partId\":\"p\"},{\"data\":2,\"partId\":\"p\"}]}"
                )
            ).String("error"),
            StringComparison.Ordinal
        );
        Assert.Equal(1, (await _server.GetAsync(Out + "/records")).Json.GetProperty("records").GetArrayLength());
    }

    [Fact]
    public async Task A_batch_is_kept_as_given_all_or_nothing_and_a_repeat_is_harmless()
    {
        const string batch =
            "{\"records\":[{\"data\":{\"n\":1.50,\"é\":[]},\"partId\":\"a\"},{\"data\":\"text\",\"partId\":\"b\"},"
            + "{\"headers\":{\"mark\":\"x\"},\"partId\":\"c\"}]}";
        var first = await _server.PostAsync(Out + "/records", batch);
        Assert.Equal((0, 3), (first.Json.GetProperty("start").GetInt32(), first.Json.GetProperty("end").GetInt32()));
        var again = await _server.PostAsync(Out + "/records", batch);
        Assert.Equal((0, 3), (again.Json.GetProperty("start").GetInt32(), again.Json.GetProperty("end").GetInt32()));
        Assert.Equal(
            409,
            (
                await _server.PostAsync(
                    Out + "/records",
                    "{\"records\":[{\"data\":\"new\"},{\"data\":\"other\",\"partId\":\"b\"}]}"
                )
            ).Status
        );
        var records = (await _server.GetAsync(Out + "/records")).Json.GetProperty("records");
        Assert.Equal(3, records.GetArrayLength());
        Assert.Equal("1.50", records[0].GetProperty("data").GetProperty("n").GetRawText());
        Assert.Equal(
            ("", "mark"),
            (records[2].GetProperty("data").GetString(), records[2].GetProperty("headers")[0][0].GetString())
        );
    }

    [Fact]
    public async Task A_stream_sends_what_there_is_follows_and_ends_at_its_time()
    {
        await _server.PostAsync(Out + "/append", "zero");
        await using var stream = await _server.StreamAsync(Out, null, ("Timeout-Seconds", "2"));
        Assert.Equal(
            ("v2", "text/event-stream"),
            (
                stream.Response.Headers.GetValues("X-Stream-Version").Single(),
                stream.Response.Content.Headers.ContentType!.MediaType
            )
        );
        var zero = await stream.NextAsync();
        Assert.Equal("batch", zero!.Name);
        Assert.Equal($"0,1,{Encoding.UTF8.GetByteCount(zero.Data)}", zero.Id);
        Assert.StartsWith(
            "{\"data\":\"zero\",\"id\":\"",
            zero.Json.GetProperty("records")[0].GetProperty("body").GetString(),
            StringComparison.Ordinal
        );
        Assert.Equal(1, zero.Json.GetProperty("tail").GetProperty("seq_num").GetInt32());
        await _server.PostAsync(Out + "/append", "one");
        Assert.Equal(1, (await stream.NextAsync())!.Json.GetProperty("records")[0].GetProperty("seq_num").GetInt32());
        Assert.Equal("[DONE]", (await stream.NextAsync())!.Data);
        Assert.Null(await stream.NextAsync());
    }

    [Fact]
    public async Task A_stream_resumes_after_any_record_starts_at_the_latest_and_refuses_a_bad_timeout()
    {
        for (var i = 0; i < 5; i++)
            await _server.PostAsync(Out + "/append", "n" + i);
        Assert.Equal([3, 4], await SeqsAsync(("Last-Event-ID", "2")));
        Assert.Equal([0, 1, 2, 3, 4], await SeqsAsync(("Last-Event-ID", "5,6,123")));
        Assert.Empty(await SeqsAsync(("X-Trigger-Stream-Start", "latest")));
        foreach (var bad in (string[])["0", "601", "x", "-1"])
            Assert.Equal(400, (await _server.StreamAsync(Out, null, ("Timeout-Seconds", bad))).Status);

        async Task<List<int>> SeqsAsync((string, string) header)
        {
            await using var stream = await _server.StreamAsync(Out, null, ("Timeout-Seconds", "1"), header);
            return [.. (await stream.RecordsAsync()).Select(r => r.GetProperty("seq_num").GetInt32())];
        }
    }

    [Fact]
    public async Task A_peek_at_a_settled_session_answers_and_closes()
    {
        await _server.SayAsync("s", "hello");
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/sessions/s/history")).Json.GetProperty("messages").GetArrayLength() == 2
        );
        await using var settled = await _server.StreamAsync(
            Out,
            null,
            ("X-Peek-Settled", "1"),
            ("Timeout-Seconds", "60")
        );
        Assert.Equal("true", settled.Response.Headers.GetValues("X-Session-Settled").Single());
        Assert.True(EventReader.IsTurnComplete((await settled.RecordsAsync())[^1]));
        await _server.PostAsync(Out + "/append", "a new turn begins");
        await using var open = await _server.StreamAsync(Out, null, ("X-Peek-Settled", "1"), ("Timeout-Seconds", "1"));
        Assert.False(open.Response.Headers.Contains("X-Session-Settled"));
    }

    [Fact]
    public async Task A_free_name_may_be_followed_before_its_session_exists()
    {
        var token = await _server.TokenAsync("read:sessions:unborn");
        await using var stream = await _server.StreamAsync("/realtime/v1/sessions/unborn/out", token);
        Assert.Equal(200, stream.Status);
        await _server.StartSessionAsync("unborn");
        await _server.SayAsync("unborn", "first words");
        Assert.Equal(0, (await stream.NextAsync())!.Json.GetProperty("records")[0].GetProperty("seq_num").GetInt32());
        await using var other = await _server.StreamAsync("/realtime/v1/sessions/not-mine/out", token);
        Assert.Equal(404, other.Status);
    }

    [Fact]
    public async Task A_stream_ends_within_a_second_of_its_tokens_time()
    {
        var token = await _server.TokenAsync("read:sessions");
        await using var stream = await _server.StreamAsync(Out, token);
        _server.Clock.Advance(TimeSpan.FromHours(1) + TimeSpan.FromSeconds(31));
        var error = await stream.NextAsync(TimeSpan.FromSeconds(2));
        Assert.Equal(("error", "expired"), (error!.Name, error.Json.GetProperty("reason").GetString()));
        Assert.Null(await stream.NextAsync());
    }

    [Fact]
    public async Task Readers_who_may_not_write_are_given_no_token_that_may()
    {
        await using var reader = await _server.StreamAsync(Out, await _server.TokenAsync("read:sessions:s"));
        await using var writer = await _server.StreamAsync(
            Out,
            await _server.TokenAsync("read:sessions:s", "write:sessions:s")
        );
        await _server.SayAsync("s", "hello");
        var read = await reader.RecordsAsync(records => records.Any(EventReader.IsTurnComplete));
        Assert.DoesNotContain("public-access-token", read[^1].GetRawText(), StringComparison.Ordinal);
        var written = await writer.RecordsAsync(records => records.Any(EventReader.IsTurnComplete));
        var token = written[^1]
            .GetProperty("headers")
            .EnumerateArray()
            .Single(h => h[0].GetString() == "public-access-token")[1]
            .GetString();
        Assert.Equal(200, (await _server.SayAsync("s", "again", token)).Status);
        Assert.Equal(404, (await _server.GetAsync("/api/v1/sessions/other", token)).Status);
    }

    [Fact]
    public async Task Side_channels_carry_records_and_wake_no_run()
    {
        await _server.PostAsync("/sessions/quiet/messages", new { role = "user", content = "made without a run" });
        const string side = "/realtime/v1/sessions/quiet/channels/log.v1_-x/in";
        for (var i = 0; i < 3; i++)
            Assert.Equal(
                i,
                (await _server.PostAsync(side + "/append", Chat.Message("quiet", "not for a run")))
                    .Json.GetProperty("seq")
                    .GetInt32()
            );
        Assert.Equal(
            System.Text.Json.JsonValueKind.Null,
            (await _server.GetAsync("/api/v1/sessions/quiet")).Json.GetProperty("currentRunId").ValueKind
        );
        await using var stream = await _server.StreamAsync(side, null, ("Timeout-Seconds", "1"));
        Assert.Equal(3, (await stream.RecordsAsync()).Count);
        Assert.Equal(
            404,
            (await _server.PostAsync("/realtime/v1/sessions/quiet/channels/no%20name/in/append", "x")).Status
        );
    }

    [Fact]
    public async Task A_persons_client_that_keeps_no_cursor_is_not_given_an_old_answer()
    {
        var key = await _server.PostAsync("/api/v1/keys", new { name = "ada@example.com", kind = "pat" });
        var token = (
            await _server.PostAsync(
                "/api/v1/projects/default/prod/jwt",
                new { claims = new { scopes = new[] { "read:sessions", "write:sessions" } } },
                key.String("key")
            )
        ).String("token");
        await _server.SayAsync("s", "old question", token);
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/sessions/s/history")).Json.GetProperty("messages").GetArrayLength() == 2
        );
        await _server.SayAsync("s", "new question", token);
        await using var stream = await _server.StreamAsync(Out, token);
        var records = await stream.RecordsAsync(r => r.Any(EventReader.IsTurnComplete));
        Assert.DoesNotContain("old", string.Concat(records.Select(r => r.GetRawText())), StringComparison.Ordinal);
        Assert.Contains("new", string.Concat(records.Select(r => r.GetRawText())), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_far_behind_gets_every_record_once()
    {
        var big = new string('x', 4000);
        for (var i = 0; i < 20; i++)
            await _server.PostAsync(
                Out + "/records",
                new { records = Enumerable.Range(0, 50).Select(n => new { data = new { n = (i * 50) + n, big } }) }
            );
        await using var stream = await _server.StreamAsync(Out, null, ("Timeout-Seconds", "60"));
        var more = Task.Run(async () =>
        {
            for (var i = 0; i < 200; i++)
                await _server.PostAsync(Out + "/append", "live" + i);
        });
        var records = await stream.RecordsAsync(r => r.Count >= 1200);
        await more;
        Assert.Equal(Enumerable.Range(0, 1200), records.Select(r => r.GetProperty("seq_num").GetInt32()));
    }
}
