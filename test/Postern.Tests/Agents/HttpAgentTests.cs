using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Deliveries;
using Postern.Settings;
using Postern.Support;

namespace Postern.Tests.Agents;

public sealed class HttpAgentTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private Receiver _agent = null!;
    private string _secret = "";

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _agent = await Receiver.StartAsync();
        var put = await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/worker",
            _server.RootKey,
            new { kind = "http", url = _agent.Url }
        );
        Assert.Equal(201, put.Status);
        _secret = put.String("secret");
        await _server.StartSessionAsync("s", agent: "worker");
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _agent.DisposeAsync();
    }

    private async Task<string> ErrorAsync()
    {
        await using var stream = await _server.StreamAsync("/realtime/v1/sessions/s/out");
        return string.Concat(
            (await stream.RecordsAsync(r => r.Any(EventReader.IsTurnComplete))).Select(r => r.GetRawText())
        );
    }

    [Fact]
    public async Task A_dispatch_is_signed_and_its_token_opens_this_session_and_nothing_else()
    {
        await _server.SayAsync("s", "do it");
        var (headers, body, text) = await _agent.NextAsync();
        var signed = $"{headers["webhook-id"]}.{headers["webhook-timestamp"]}.{text}";
        Assert.Equal(
            "v1,"
                + Convert.ToBase64String(
                    HMACSHA256.HashData(
                        Convert.FromBase64String(_secret["whsec_".Length..]),
                        Encoding.UTF8.GetBytes(signed)
                    )
                ),
            headers["webhook-signature"].ToString()
        );
        Assert.Equal("run.dispatched", body.GetProperty("type").GetString());
        var data = body.GetProperty("data");
        Assert.Equal(
            "do it",
            data.GetProperty("session")
                .GetProperty("messages")[0]
                .GetProperty("content")[0]
                .GetProperty("text")
                .GetString()
        );
        var token = data.GetProperty("token").GetString()!;
        var url = new Uri(data.GetProperty("out").GetProperty("url").GetString()!).AbsolutePath;

        await _server.StartSessionAsync("other");
        Assert.Equal(
            404,
            (
                await _server.PostAsync(
                    "/realtime/v1/sessions/other/out/records",
                    new { records = new[] { new { data = 1 } } },
                    token
                )
            ).Status
        );
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions", token)).Status);
        Assert.Equal(401, (await _server.PostAsync("/api/v1/sessions/s/close", new { }, token)).Status);

        Assert.Equal(
            200,
            (
                await _server.PostAsync(
                    url,
                    "{\"records\":[{\"data\":{\"type\":\"text-delta\",\"id\":\"0\",\"delta\":\"it is \"}},"
                        + "{\"data\":{\"type\":\"text-delta\",\"id\":\"0\",\"delta\":\"done\"}}]}",
                    token
                )
            ).Status
        );
        Assert.Equal(
            200,
            (
                await _server.PostAsync(
                    url,
                    "{\"records\":[{\"headers\":{\"trigger-control\":\"turn-complete\"},\"partId\":\"end\"}]}",
                    token
                )
            ).Status
        );
        var messages = (await _server.GetAsync("/sessions/s/history")).Json.GetProperty("messages");
        Assert.Equal("it is done", messages[1].GetProperty("content")[0].GetProperty("text").GetString());
    }

    [Fact]
    public async Task The_agent_is_told_of_a_stop_with_its_next_append()
    {
        await _server.SayAsync("s", "long work");
        var (_, body, _) = await _agent.NextAsync();
        var token = body.GetProperty("data").GetProperty("token").GetString();
        Assert.False(
            (await _server.PostAsync("/realtime/v1/sessions/s/out/records", "{\"records\":[{\"data\":1}]}", token))
                .Json.GetProperty("stopAsked")
                .GetBoolean()
        );
        await _server.PostAsync("/realtime/v1/sessions/s/in/append", "{\"kind\":\"stop\"}");
        Assert.True(
            (await _server.PostAsync("/realtime/v1/sessions/s/out/records", "{\"records\":[{\"data\":2}]}", token))
                .Json.GetProperty("stopAsked")
                .GetBoolean()
        );
    }

    [Fact]
    public async Task Messages_that_come_during_a_turn_are_the_next_turn_of_the_same_run()
    {
        await _server.SayAsync("s", "first");
        var (_, first, _) = await _agent.NextAsync();
        await _server.SayAsync("s", "second");
        var token = first.GetProperty("data").GetProperty("token").GetString();
        await _server.PostAsync(
            "/realtime/v1/sessions/s/out/records",
            "{\"records\":[{\"headers\":{\"trigger-control\":\"turn-complete\"}}]}",
            token
        );
        var (_, second, _) = await _agent.NextAsync(2);
        Assert.Equal(
            first.GetProperty("data").GetProperty("run").GetProperty("id").GetString(),
            second.GetProperty("data").GetProperty("run").GetProperty("id").GetString()
        );
        Assert.Equal(1, second.GetProperty("data").GetProperty("session").GetProperty("inSeq").GetInt32());
        Assert.Equal(2, _agent.Taken.Count);
    }

    [Fact]
    public async Task An_agent_may_answer_its_dispatch_with_the_finished_turn()
    {
        _agent.Answers = _ => (200, "{\"status\":\"succeeded\",\"output\":{\"text\":\"at once\"}}");
        await _server.SayAsync("s", "quick");
        Assert.Contains("at once", await ErrorAsync(), StringComparison.Ordinal);
        Assert.Equal(
            "at once",
            (await _server.GetAsync("/sessions/s/history"))
                .Json.GetProperty("messages")[1]
                .GetProperty("content")[0]
                .GetProperty("text")
                .GetString()
        );
    }

    [Theory]
    [InlineData(60_000)]
    [InlineData(70_000)]
    [InlineData(262_142)]
    public async Task An_answer_may_be_as_long_as_an_output(int length)
    {
        var text = new string('x', length);
        _agent.Answers = _ => (200, JsonSerializer.Serialize(new { status = "succeeded", output = text }));
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "worker" })).String("id");
        var done = await _server.GetAsync($"/api/v1/runs/{run}?wait=20");
        Assert.Equal(("succeeded", text), (done.String("status"), done.String("output")));
        await _server.SayAsync("s", "long");
        await ErrorAsync();
        var messages = (await _server.GetAsync("/sessions/s/history?full=1")).Json.GetProperty("messages");
        Assert.Equal(text, messages[1].GetProperty("content")[0].GetProperty("text").GetString());
    }

    public static TheoryData<string, string, string> NotUnderstood =>
        new()
        {
            {
                "application/json",
                JsonSerializer.Serialize(new { status = "succeeded", output = new string('x', 262_143) }),
                "its output has more than 262144 bytes"
            },
            {
                "application/json",
                JsonSerializer.Serialize(new { status = "succeeded", output = new string('x', 400_000) }),
                "it has more than 278528 bytes"
            },
            { "application/json", "{\"status\":\"succeeded\",\"output\":", "it is no strict JSON" },
            { "Application/JSON; Charset=\"UTF-8\"", "done", "it is no strict JSON" },
            { "", "{'status':'succeeded'}", "it is no strict JSON" },
            { "text/html", "<!doctype html><title>Sign in</title>", "it is no strict JSON" },
            { "application/json", "{\"status\":\"succeeded\",\"status\":\"failed\"}", "it is no strict JSON" },
            { "application/json", "{\"status\":17,\"output\":1}", "its status is no text" },
            { "application/json", "{\"status\":\"succ\\u0000eeded\"}", "its status is no text" },
            { "application/json", "{\"status\":\"done\",\"output\":\"x\"}", "its status must be" },
            { "application/json; charset=utf-7", "{}", "The charset utf-7 is not understood" },
        };

    [Theory]
    [MemberData(nameof(NotUnderstood))]
    public async Task An_answer_that_is_not_understood_fails_the_run_at_once_and_says_why(
        string type,
        string body,
        string why
    )
    {
        _agent.Handle = async http =>
        {
            if (type.Length > 0)
                http.Response.Headers.ContentType = type;
            await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(body));
        };
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "worker" })).String("id");
        var done = (await _server.GetAsync($"/api/v1/runs/{run}?wait=20")).Json;
        Assert.Equal(
            ("failed", "answer_not_understood"),
            (done.GetProperty("status").GetString(), done.GetProperty("failure").GetProperty("code").GetString())
        );
        Assert.Contains(why, done.GetProperty("failure").GetProperty("message").GetString(), StringComparison.Ordinal);
        await _server.SayAsync("s", "hello");
        Assert.Contains(why, await ErrorAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/json", "\ufeff{\"status\":\"succeeded\",\"output\":\"K\u00e4se\"}", "utf-8", "K\u00e4se")]
    [InlineData(
        "APPLICATION/JSON;charset=utf-16",
        "{\"status\":\"succeeded\",\"output\":\"K\u00e4se\"}",
        "utf-16",
        "K\u00e4se"
    )]
    [InlineData(
        "application/json;charset=iso-8859-1",
        "{\"status\":\"succeeded\",\"output\":\"K\u00e4se\"}",
        "iso-8859-1",
        "K\u00e4se"
    )]
    [InlineData("", "{\"status\":\"succeeded\",\"output\":{\"text\":\"cut \\ud83d\\u0000\"}}", "utf-8", "cut \ufffd")]
    [InlineData("application/problem+json", "{\"status\":\"succeeded\",\"output\":{\"n\":42}}", "utf-8", "{\"n\":42}")]
    public async Task An_answer_is_understood_however_it_is_spelt(string type, string body, string charset, string text)
    {
        _agent.Handle = async http =>
        {
            if (type.Length > 0)
                http.Response.Headers.ContentType = type;
            await http.Response.Body.WriteAsync(Encoding.GetEncoding(charset).GetBytes(body));
        };
        await _server.SayAsync("s", "hello");
        await ErrorAsync();
        var messages = (await _server.GetAsync("/sessions/s/history")).Json.GetProperty("messages");
        Assert.Equal(text, messages[1].GetProperty("content")[0].GetProperty("text").GetString());
    }

    [Theory]
    [InlineData("text/plain", "OK")]
    [InlineData("", "accepted")]
    [InlineData("application/json", " \r\n")]
    [InlineData("application/json", "{}")]
    [InlineData("application/json", "\"ok\"")]
    [InlineData("application/json", "{\"status\":\"accepted\"}")]
    public async Task A_short_word_takes_the_run_on(string type, string body)
    {
        _agent.Handle = async http =>
        {
            if (type.Length > 0)
                http.Response.Headers.ContentType = type;
            await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(body));
        };
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "worker" })).String("id");
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/runs/" + run)).String("status") == "running"
        );
    }

    [Theory]
    [InlineData(401, "wrong signature, says the agent")]
    [InlineData(410, "gone")]
    [InlineData(302, "")]
    public async Task A_refused_dispatch_fails_the_run_with_the_reason_at_once(int status, string says)
    {
        _agent.Answers = _ => (status, says);
        await _server.SayAsync("s", "hello");
        var error = await ErrorAsync();
        Assert.Contains("answered " + status, error, StringComparison.Ordinal);
        Assert.Contains(says, error, StringComparison.Ordinal);
        Assert.Equal(
            "failed",
            await _server.Database.ReadAsync(tx =>
                tx.FirstAsync("SELECT status FROM run WHERE ended_at IS NOT NULL", r => r.GetString(0))
            )
        );
        Assert.Single(_agent.Taken);
    }

    [Fact]
    public async Task A_dispatch_that_cannot_be_delivered_is_tried_again_under_the_same_id()
    {
        _agent.Answers = n => n == 1 ? (503, "") : (202, "");
        await _server.SayAsync("s", "hello");
        var (first, _, _) = await _agent.NextAsync();
        _server.Clock.Advance(TimeSpan.FromSeconds(6));
        var (second, _, _) = await _agent.NextAsync(2);
        Assert.Equal(first["webhook-id"].ToString(), second["webhook-id"].ToString());
        Assert.Equal(("1", "2"), (first["webhook-attempt"].ToString(), second["webhook-attempt"].ToString()));
    }

    [Fact]
    public async Task An_agent_that_goes_silent_is_timed_out_and_can_no_longer_write()
    {
        await _server.SayAsync("s", "hello");
        var (_, body, _) = await _agent.NextAsync();
        var token = body.GetProperty("data").GetProperty("token").GetString();
        await _server.PostAsync(
            "/realtime/v1/sessions/s/out/records",
            "{\"records\":[{\"data\":{\"type\":\"text-delta\",\"id\":\"0\",\"delta\":\"so far\"}}]}",
            token
        );
        _server.Clock.Advance(TimeSpan.FromMinutes(16));
        Assert.Contains("did not finish its turn in time", await ErrorAsync(), StringComparison.Ordinal);
        var late = await _server.PostAsync(
            "/realtime/v1/sessions/s/out/records",
            "{\"records\":[{\"data\":\"late\"}]}",
            token
        );
        Assert.Equal((403, "not_the_run"), (late.Status, late.String("code")));
        Assert.Contains(
            "so far",
            (await _server.GetAsync("/sessions/s/history")).Json.GetProperty("messages")[1].GetRawText(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_turns_time_is_its_agents_and_moves_on_with_every_record()
    {
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/worker",
            _server.RootKey,
            new
            {
                kind = "http",
                url = _agent.Url,
                deadlines = new { turnSeconds = 60 },
            }
        );
        await _server.SayAsync("s", "hello");
        var (_, body, _) = await _agent.NextAsync();
        var token = body.GetProperty("data").GetProperty("token").GetString();
        for (var i = 0; i < 4; i++)
        {
            _server.Clock.Advance(TimeSpan.FromSeconds(40));
            Assert.Equal(
                200,
                (
                    await _server.PostAsync(
                        "/realtime/v1/sessions/s/out/records",
                        "{\"records\":[{\"data\":1}]}",
                        token
                    )
                ).Status
            );
        }
        _server.Clock.Advance(TimeSpan.FromSeconds(61));
        Assert.Contains("did not finish its turn in time", await ErrorAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Closing_a_session_tells_its_agent()
    {
        await _server.SayAsync("s", "hello");
        await _agent.NextAsync();
        await _server.PostAsync("/api/v1/sessions/s/close", new { reason = "enough" });
        var (_, body, _) = await _agent.NextAsync(2);
        Assert.Equal("session.closed", body.GetProperty("type").GetString());
    }

    [Fact]
    public async Task Killing_a_run_in_mid_turn_tells_its_agent()
    {
        await _server.SayAsync("s", "hello");
        await _agent.NextAsync();
        await _server.PostAsync("/sessions/s/kill", null, await _server.KeyAsync("admin"));
        var (_, body, _) = await _agent.NextAsync(2);
        Assert.Equal("run.cancelled", body.GetProperty("type").GetString());
    }

    [Fact]
    public async Task An_agents_concurrency_is_kept()
    {
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/worker",
            _server.RootKey,
            new
            {
                kind = "http",
                url = _agent.Url,
                concurrency = 1,
            }
        );
        await _server.StartSessionAsync("t", agent: "worker");
        await _server.SayAsync("s", "one");
        var (_, first, _) = await _agent.NextAsync();
        await _server.SayAsync("t", "two");
        // It waits, and is not handed over while the place is taken.
        await WaitFor.TrueAsync(
            async () =>
                await _server.Database.ReadAsync(tx =>
                    tx.FirstAsync("SELECT COUNT(*) FROM run WHERE waits_at IS NOT NULL", r => r.GetInt64(0))
                ) == 1,
            what: "one waits"
        );
        Assert.Single(_agent.Taken);
        await _server.PostAsync(
            "/realtime/v1/sessions/s/out/records",
            "{\"records\":[{\"headers\":{\"trigger-control\":\"turn-complete\"}}]}",
            first.GetProperty("data").GetProperty("token").GetString()
        );
        var (headers, _, _) = await _agent.NextAsync(2);
        Assert.Equal("1", headers["webhook-attempt"].ToString());
    }

    [Theory]
    [InlineData("ftp://example.com/", "http or https")]
    [InlineData("http://user:pw@example.com/", "user or password")]
    [InlineData("http://10.0.0.1/", "loopback, private")]
    [InlineData("http://192.168.1.1:80/x", "loopback, private")]
    [InlineData("http://169.254.169.254/latest/meta-data", "loopback, private")]
    [InlineData("http://2852039166/", "loopback, private")]
    [InlineData("http://0xa9fea9fe/", "loopback, private")]
    [InlineData("http://0251.0376.0251.0376/", "loopback, private")]
    [InlineData("http://[::ffff:10.0.0.1]/", "loopback, private")]
    [InlineData("http://[64:ff9b::10.0.0.1]/", "loopback, private")]
    [InlineData("http://[fd00::1]/", "loopback, private")]
    [InlineData("http://[fe80::1]/", "loopback, private")]
    [InlineData("http://100.64.0.1/", "loopback, private")]
    [InlineData("http://0.0.0.0/", "loopback, private")]
    [InlineData("not a url", "http or https")]
    public async Task A_url_that_leads_inside_is_refused_in_every_spelling(string url, string says)
    {
        var answer = await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/inside",
            _server.RootKey,
            new { kind = "http", url }
        );
        Assert.Equal(400, answer.Status);
        Assert.Contains("url " + "must", answer.String("detail"), StringComparison.Ordinal);
        Assert.Contains(says, answer.String("detail"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_address_is_checked_again_when_it_is_connected_to()
    {
        // Stored while loopback was allowed; the server that dispatches does not allow it.
        using var guard = new OutboundGuard(new PosternOptions(), System.Net.Dns.GetHostAddressesAsync);
        var fault = await Assert.ThrowsAsync<HttpRequestException>(() =>
            guard.Client.GetAsync(_agent.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal))
        );
        Assert.IsType<OutboundRefusedException>(fault.InnerException ?? fault);
        Assert.Empty(_agent.Taken);
    }

    [Fact]
    public async Task An_agent_is_put_read_and_listed_without_its_secret()
    {
        Assert.DoesNotContain(
            "whsec_",
            (await _server.GetAsync("/api/v1/agents/worker")).Text,
            StringComparison.Ordinal
        );
        Assert.DoesNotContain("whsec_", (await _server.GetAsync("/api/v1/agents")).Text, StringComparison.Ordinal);
        var again = await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/worker",
            _server.RootKey,
            new
            {
                kind = "http",
                url = _agent.Url,
                idleSeconds = 5,
            }
        );
        Assert.Equal(200, again.Status);
        Assert.False(again.Json.TryGetProperty("secret", out _));
        Assert.Equal(
            409,
            (
                await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/Worker", _server.RootKey, new { kind = "echo" })
            ).Status
        );
        Assert.Contains(
            "kind must be one of",
            (await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/x", _server.RootKey, new { kind = "magic" })).Text,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "unknownField is not a known field",
            (
                await _server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/agents/x",
                    _server.RootKey,
                    new { kind = "echo", unknownField = 1 }
                )
            ).Text,
            StringComparison.Ordinal
        );
        Assert.Equal(404, (await _server.GetAsync("/api/v1/agents/nobody")).Status);
    }
}
