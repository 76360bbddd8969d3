using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Triggers;

/// <summary>Requests to a trigger's URL, in the contract's order of checks.</summary>
public sealed class InboundTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", _server.RootKey, new { kind = "pull" });
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private async Task MakeAsync(string id, object config)
    {
        var made = await _server.PostAsync("/api/triggers/user/ada/" + id, config);
        Assert.True(made.Status == 201, made.ToString());
    }

    private Task<Answer> InAsync(string id, object? body, params (string, string)[] headers) =>
        _server.SendAsync(HttpMethod.Post, "/inbound/user/ada/" + id, null, body, headers);

    private async Task<JsonElement> RequestAsync(string trigger, string request) =>
        (await _server.GetAsync($"/api/triggers/user/ada/{trigger}/requests/{request}")).Json.GetProperty("data");

    private static string IdOf(Answer answer) => answer.Json.GetProperty("data").GetProperty("requestId").GetString()!;

    private static string Sign(string secret, string body) =>
        "sha256="
        + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(body)));

    [Fact]
    public async Task A_request_becomes_a_capture_a_session_and_an_answer()
    {
        await MakeAsync(
            "hook",
            new
            {
                agent = "echo",
                promptTemplate = "{{method}} {{body.issue.number}}: {{body.issue.title}} from {{query.team}}",
                mode = "code",
                githubRepo = "a/b",
            }
        );
        var answer = await _server.SendAsync(
            HttpMethod.Put,
            "/inbound/user/ada/hook?team=core",
            null,
            new { issue = new { number = 7, title = "It breaks" } }
        );
        Assert.Equal(200, answer.Status);
        Assert.Equal(
            "Webhook captured successfully",
            answer.Json.GetProperty("data").GetProperty("message").GetString()
        );
        JsonElement capture = default;
        await WaitFor.TrueAsync(async () =>
            (capture = await RequestAsync("hook", IdOf(answer))).GetProperty("processStatus").GetString() == "success"
        );
        Assert.Equal(
            ("PUT", "webhook", "team=core", "127.0.0.1"),
            (
                capture.GetProperty("method").GetString(),
                capture.GetProperty("triggerSource").GetString(),
                capture.GetProperty("query").GetString(),
                capture.GetProperty("sourceIp").GetString()
            )
        );
        var transcript = (
            await _server.GetAsync(
                $"/api/v1/sessions/{capture.GetProperty("cloudAgentSessionId").GetString()}/transcript"
            )
        ).Text;
        Assert.Equal(2, transcript.Split("PUT 7: It breaks from core").Length - 1);
        Assert.NotNull(capture.GetProperty("runId").GetString());
        Assert.Equal(
            0,
            (await _server.GetAsync("/api/triggers/user/ada/hook"))
                .Json.GetProperty("data")
                .GetProperty("inFlight")
                .GetInt32()
        );
    }

    [Fact]
    public async Task The_checks_come_in_their_order()
    {
        await MakeAsync(
            "signed",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                webhookAuth = new { scheme = "github", secret = "secret s" },
            }
        );
        foreach (var method in (string[])["GET", "HEAD", "OPTIONS", "PROPFIND", "P"])
        {
            var refused = await _server.SendAsync(new HttpMethod(method), "/inbound/user/ada/signed");
            Assert.Equal((405, "POST, PUT, PATCH, DELETE"), (refused.Status, refused.Header("Allow")));
        }
        Assert.Equal(405, (await _server.SendAsync(HttpMethod.Get, "/inbound/user/ada/none")).Status);
        var large = new byte[262_145];
        foreach (
            var type in (string[])
                ["multipart/form-data; boundary=x", "image/png", "application/zip", "application/octet-stream"]
        )
            Assert.Equal(
                (415, "Unsupported content type"),
                await ErrorAsync(InAsync("none", large, ("Content-Type", type)))
            );
        Assert.Equal(
            (413, "Payload too large"),
            await ErrorAsync(InAsync("none", large, ("Content-Type", "text/plain")))
        );
        Assert.Equal((404, "Trigger not found"), await ErrorAsync(InAsync("none", "{}")));
        Assert.Equal((401, "Unauthorized"), await ErrorAsync(InAsync("signed", "{}")));
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/triggers/user/ada/signed",
            _server.RootKey,
            new { isActive = false }
        );
        Assert.Equal((401, "Unauthorized"), await ErrorAsync(InAsync("signed", "{}")));
        Assert.Equal(
            (404, "Trigger not found"),
            await ErrorAsync(InAsync("signed", "{}", ("X-Hub-Signature-256", Sign("secret s", "{}"))))
        );
        var unknown = await _server.SendAsync(HttpMethod.Post, "/inbound/nothing", null, "{}");
        Assert.Equal((404, "{\"success\":false,\"error\":\"Not found\"}"), (unknown.Status, unknown.Text));
        Assert.Equal(
            0,
            await _server.Database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM capture", r => r.GetInt64(0)))
        );
    }

    private static async Task<(int, string)> ErrorAsync(Task<Answer> sent)
    {
        var answer = await sent;
        Assert.False(answer.Json.GetProperty("success").GetBoolean());
        return (answer.Status, answer.String("error"));
    }

    [Theory]
    [InlineData(262_144, 200)]
    [InlineData(262_145, 413)]
    public async Task The_limit_is_exact_and_chunks_are_counted_as_they_come(int bytes, int status)
    {
        await MakeAsync("large", new { agent = "idle", promptTemplate = "x" });
        Assert.Equal(
            status,
            (
                await InAsync("large", Encoding.ASCII.GetBytes(new string('a', bytes)), ("Content-Type", "text/plain"))
            ).Status
        );
        using var request = new HttpRequestMessage(HttpMethod.Post, "/inbound/user/ada/large")
        {
            Content = new StreamContent(new MemoryStream(new byte[bytes])),
        };
        request.Headers.TransferEncodingChunked = true;
        using var chunked = await _server.Http.SendAsync(request);
        Assert.Equal(status, (int)chunked.StatusCode);
    }

    [Fact]
    public async Task Possible_credentials_are_not_stored()
    {
        await MakeAsync(
            "secretive",
            new
            {
                agent = "idle",
                promptTemplate = "{{headers}} {{header.authorization}} {{header.x-own}} {{header.x-plain}}",
                webhookAuth = new { header = "X-Own", secret = "own-secret" },
            }
        );
        string[] hidden =
        [
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "X-API-Key",
            "X-Gitlab-Token",
            "X-Hub-Signature",
            "X-Hub-Signature-256",
            "Stripe-Signature",
            "X-Slack-Signature",
            "webhook-signature",
            "svix-signature",
            "X-Auth-Token",
            "CF-Access-Client-Secret",
            "X-Amz-Security-Token",
        ];
        var answer = await InAsync(
            "secretive",
            "{}",
            [.. hidden.Select(h => (h, "a-credential")), ("X-Own", "own-secret"), ("X-Plain", "plain")]
        );
        Assert.Equal(200, answer.Status);
        var capture = await RequestAsync("secretive", IdOf(answer));
        foreach (var name in hidden)
            Assert.Equal("[REDACTED]", capture.GetProperty("headers").GetProperty(name.ToLowerInvariant()).GetString());
        Assert.Equal(
            ("[REDACTED]", "plain"),
            (
                capture.GetProperty("headers").GetProperty("x-own").GetString(),
                capture.GetProperty("headers").GetProperty("x-plain").GetString()
            )
        );
        var everything = await _server.Database.ReadAsync(tx =>
            tx.ListAsync(
                "SELECT headers FROM capture UNION ALL SELECT CAST(content AS text) FROM message",
                r => r.GetString(0)
            )
        );
        Assert.DoesNotContain("a-credential", string.Concat(everything), StringComparison.Ordinal);
        Assert.DoesNotContain("own-secret", string.Concat(everything), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("X-GitHub-Delivery")]
    [InlineData("webhook-id")]
    [InlineData("Idempotency-Key")]
    [InlineData("X-Gitlab-Webhook-UUID")]
    [InlineData("Linear-Delivery")]
    [InlineData("X-Atlassian-Webhook-Identifier")]
    [InlineData("X-Shopify-Event-Id")]
    [InlineData("X-Shopify-Webhook-Id")]
    public async Task A_delivery_id_is_taken_once_within_a_day(string header)
    {
        await MakeAsync("once", new { agent = "idle", promptTemplate = "x" });
        var first = await InAsync("once", "{\"n\":1}", (header, "d-1"));
        var again = await InAsync("once", "{\"n\":2}", (header, "d-1"));
        Assert.Equal(
            (200, IdOf(first), true),
            (again.Status, IdOf(again), again.Json.GetProperty("data").GetProperty("duplicate").GetBoolean())
        );
        Assert.NotEqual(IdOf(first), IdOf(await InAsync("once", "{}", (header, "d-2"))));
        _server.Clock.Advance(TimeSpan.FromHours(25));
        Assert.NotEqual(IdOf(first), IdOf(await InAsync("once", "{}", (header, "d-1"))));
    }

    /// <summary>Senders name deliveries by what they like: a token, a URL.</summary>
    [Fact]
    public async Task A_long_delivery_id_is_taken_once_too()
    {
        await MakeAsync("long", new { agent = "idle", promptTemplate = "x" });
        var id = new string('d', 4000);
        var first = await InAsync("long", "{\"n\":1}", ("webhook-id", id + "1"));
        Assert.Equal(IdOf(first), IdOf(await InAsync("long", "{\"n\":2}", ("webhook-id", id + "1"))));
        Assert.NotEqual(IdOf(first), IdOf(await InAsync("long", "{\"n\":2}", ("webhook-id", id + "2"))));
    }

    [Fact]
    public async Task An_untimed_signature_without_an_id_is_remembered_by_its_body_and_a_plain_secret_is_not()
    {
        await MakeAsync(
            "hub",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                webhookAuth = new { scheme = "github", secrets = new[] { "the old one", "the new one" } },
            }
        );
        var first = await InAsync("hub", "{\"a\":1}", ("X-Hub-Signature-256", Sign("the old one", "{\"a\":1}")));
        Assert.Equal(200, first.Status);
        Assert.True(
            (
                await InAsync(
                    "hub",
                    "{\"a\":1}",
                    (
                        "X-Hub-Signature-256",
                        Sign("the new one", "{\"a\":1}")
                            .ToUpperInvariant()
                            .Replace("SHA256", "sha256", StringComparison.Ordinal)
                    )
                )
            )
                .Json.GetProperty("data")
                .GetProperty("duplicate")
                .GetBoolean()
        );
        Assert.Equal(
            401,
            (await InAsync("hub", "{\"a\":2}", ("X-Hub-Signature-256", Sign("the old one", "{\"a\":1}")))).Status
        );
        await MakeAsync(
            "lab",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                webhookAuth = new { scheme = "gitlab", secret = "token of lab" },
            }
        );
        Assert.NotEqual(
            IdOf(await InAsync("lab", "{}", ("X-Gitlab-Token", "token of lab"))),
            IdOf(await InAsync("lab", "{}", ("X-Gitlab-Token", "token of lab")))
        );
        Assert.Equal(401, (await InAsync("lab", "{}", ("X-Gitlab-Token", "T"))).Status);
        Assert.Equal(
            401,
            (await InAsync("lab", "{}", ("X-Gitlab-Token", "token of lab"), ("X-Gitlab-Token", "token of lab"))).Status
        );
    }

    [Fact]
    public async Task Probes_are_answered_after_the_signature_and_start_nothing()
    {
        await MakeAsync(
            "hub",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                webhookAuth = new { scheme = "github", secret = "secret s" },
            }
        );
        Assert.Equal(401, (await InAsync("hub", "{}", ("X-GitHub-Event", "ping"))).Status);
        Assert.Equal(
            "pong",
            (await InAsync("hub", "{}", ("X-GitHub-Event", "ping"), ("X-Hub-Signature-256", Sign("secret s", "{}"))))
                .Json.GetProperty("data")
                .GetProperty("message")
                .GetString()
        );
        await MakeAsync("slack", new { agent = "idle", promptTemplate = "x" });
        Assert.Equal(
            "{\"challenge\":\"abc\"}",
            (await InAsync("slack", new { type = "url_verification", challenge = "abc" })).Text
        );
        Assert.Equal(
            0,
            await _server.Database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM capture", r => r.GetInt64(0)))
        );
    }

    [Fact]
    public async Task A_filter_keeps_what_it_turns_away_and_starts_nothing()
    {
        await MakeAsync(
            "filtered",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                filter = new
                {
                    headers = new Dictionary<string, string[]> { ["X-GitHub-Event"] = ["issues", "push"] },
                    body = new[]
                    {
                        new { path = "action", equals = (object)"opened" },
                        new { path = "issue.labels[0].n", equals = (object)1 },
                    },
                },
            }
        );
        const string good = "{\"action\":\"opened\",\"issue\":{\"labels\":[{\"n\":1.0}]}}";
        Assert.False(
            (await InAsync("filtered", good, ("X-GitHub-Event", "push")))
                .Json.GetProperty("data")
                .TryGetProperty("filtered", out _)
        );
        foreach (
            var (body, header) in new[]
            {
                (good, "ping2"),
                ("{\"action\":\"closed\",\"issue\":{\"labels\":[{\"n\":1}]}}", "push"),
                ("[]", "push"),
                ("{\"action\":\"opened\"}", "push"),
            }
        )
        {
            var answer = await InAsync("filtered", body, ("X-GitHub-Event", header));
            Assert.True(answer.Json.GetProperty("data").GetProperty("filtered").GetBoolean());
            Assert.Equal(
                "filtered",
                (await RequestAsync("filtered", IdOf(answer))).GetProperty("processStatus").GetString()
            );
        }
        Assert.Equal(
            1,
            (await _server.GetAsync("/api/triggers/user/ada/filtered"))
                .Json.GetProperty("data")
                .GetProperty("inFlight")
                .GetInt32()
        );
        Assert.Equal(
            4,
            (await _server.GetAsync("/api/triggers/user/ada/filtered/requests?status=filtered"))
                .Json.GetProperty("data")
                .GetProperty("requests")
                .GetArrayLength()
        );
    }

    [Fact]
    public async Task Places_are_bounded_exactly_with_64_at_once_and_free_when_work_ends()
    {
        await MakeAsync(
            "full",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                maxInFlight = 10,
            }
        );
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 64).Select(i => InAsync("full", "{}", ("Idempotency-Key", "k" + i)))
        );
        Assert.Equal(10, answers.Count(a => a.Status == 200));
        Assert.All(
            answers.Where(a => a.Status != 200),
            a =>
                Assert.Equal(
                    (429, "Too many in-flight requests", true),
                    (a.Status, a.String("error"), int.Parse(a.Header("Retry-After")!) > 0)
                )
        );
        // A refused request leaves nothing: its id is free. A repeat of an accepted one is answered as a repeat.
        var taken = answers.ToList().FindIndex(a => a.Status == 200);
        Assert.True(
            (await InAsync("full", "{}", ("Idempotency-Key", "k" + taken)))
                .Json.GetProperty("data")
                .GetProperty("duplicate")
                .GetBoolean()
        );
        var run = (await RequestAsync("full", IdOf(answers[taken]))).GetProperty("runId").GetString();
        await _server.PostAsync($"/api/v1/runs/{run}/cancel", null);
        var refused = answers.ToList().FindIndex(a => a.Status == 429);
        Assert.Equal(200, (await InAsync("full", "{}", ("Idempotency-Key", "k" + refused))).Status);
        Assert.Equal(
            ("failed", "cancelled"),
            (
                (await RequestAsync("full", IdOf(answers[taken]))).GetProperty("processStatus").GetString(),
                (await RequestAsync("full", IdOf(answers[taken]))).GetProperty("reason").GetString()
            )
        );
    }

    [Fact]
    public async Task A_rate_is_kept()
    {
        await MakeAsync(
            "rated",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                rateLimit = 3,
            }
        );
        var answers = new List<int>();
        for (var i = 0; i < 4; i++)
            answers.Add((await InAsync("rated", "{}", ("Idempotency-Key", "k" + i))).Status);
        Assert.Equal([200, 200, 200, 429], answers);
        // A repeat of an accepted one is answered as a repeat, even above the rate limit.
        Assert.True(
            (await InAsync("rated", "{}", ("Idempotency-Key", "k0")))
                .Json.GetProperty("data")
                .GetProperty("duplicate")
                .GetBoolean()
        );
    }

    [Fact]
    public async Task A_request_about_the_same_thing_goes_on_with_its_conversation()
    {
        await MakeAsync(
            "issues",
            new
            {
                agent = "echo",
                promptTemplate = "{{body.text}}",
                sessionMode = "byKey",
                sessionKey = "{{body.issue}}",
            }
        );
        await MakeAsync(
            "all",
            new
            {
                agent = "echo",
                promptTemplate = "{{body.text}}",
                sessionMode = "perTrigger",
            }
        );
        var one = await SessionAsync("issues", new { issue = 1, text = "first" });
        Assert.NotEqual(one, await SessionAsync("issues", new { issue = 2, text = "other" }));
        Assert.Equal(one, await SessionAsync("issues", new { issue = 1, text = "second" }));
        Assert.Equal(
            4,
            (await _server.GetAsync($"/api/v1/sessions/{one}/transcript")).Json.GetProperty("messages").GetArrayLength()
        );
        Assert.Equal(await SessionAsync("all", new { text = "a" }), await SessionAsync("all", new { text = "b" }));
        // A closed conversation is not opened again: the next request begins another one.
        await _server.PostAsync($"/api/v1/sessions/{one}/close", new { });
        Assert.NotEqual(one, await SessionAsync("issues", new { issue = 1, text = "third" }));

        async Task<string> SessionAsync(string trigger, object body)
        {
            var id = IdOf(await InAsync(trigger, body));
            JsonElement capture = default;
            await WaitFor.TrueAsync(async () =>
                (capture = await RequestAsync(trigger, id)).GetProperty("processStatus").GetString() == "success"
            );
            return capture.GetProperty("cloudAgentSessionId").GetString()!;
        }
    }

    [Fact]
    public async Task Existing_callers_settings_are_kept_and_handed_to_the_agent_with_the_callback()
    {
        await using var agent = await Receiver.StartAsync();
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/called",
            _server.RootKey,
            new { kind = "http", url = agent.Url }
        );
        await MakeAsync(
            "rich",
            new
            {
                agent = "called",
                promptTemplate = "do it",
                mode = "code",
                model = "large",
                githubRepo = "a/b",
                profileId = 7,
            }
        );
        var id = IdOf(await InAsync("rich", "{}"));
        var (_, body, _) = await agent.OfTypeAsync("run.dispatched");
        var data = body.GetProperty("data");
        Assert.Equal(
            ("code", "large", 7),
            (
                data.GetProperty("trigger").GetProperty("settings").GetProperty("mode").GetString(),
                data.GetProperty("trigger").GetProperty("settings").GetProperty("model").GetString(),
                data.GetProperty("trigger").GetProperty("settings").GetProperty("profileId").GetInt32()
            )
        );
        Assert.EndsWith(
            "/api/callbacks/execution",
            data.GetProperty("callback").GetProperty("url").GetString(),
            StringComparison.Ordinal
        );
        Assert.Equal(
            ("user/ada", "rich", id),
            (Header("x-webhook-namespace"), Header("x-webhook-trigger-id"), Header("x-webhook-request-id"))
        );

        string? Header(string name) =>
            data.GetProperty("callback").GetProperty("headers").GetProperty(name).GetString();
    }

    [Theory]
    [InlineData("401")]
    [InlineData("silent")]
    [InlineData("removed")]
    public async Task A_capture_ends_and_frees_its_place_whatever_its_agent_does(string what)
    {
        await using var agent = await Receiver.StartAsync();
        agent.Answers = _ => what == "401" ? (401, "who are you") : (202, "");
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/called",
            _server.RootKey,
            new { kind = "http", url = agent.Url }
        );
        await MakeAsync(
            "stuck",
            new
            {
                agent = "called",
                promptTemplate = "x",
                maxInFlight = 1,
            }
        );
        var id = IdOf(await InAsync("stuck", "{}"));
        await agent.OfTypeAsync("run.dispatched");
        if (what == "silent")
        {
            await WaitFor.TrueAsync(async () =>
                (await RequestAsync("stuck", id)).GetProperty("processStatus").GetString() == "inprogress"
            );
            _server.Clock.Advance(TimeSpan.FromSeconds(901));
        }
        else if (what == "removed")
            await _server.SendAsync(HttpMethod.Delete, "/api/v1/agents/called?force=1", _server.RootKey);
        JsonElement capture = default;
        await WaitFor.TrueAsync(async () =>
            (capture = await RequestAsync("stuck", id)).GetProperty("processStatus").GetString() == "failed"
        );
        Assert.Equal(
            what switch
            {
                "401" => "dispatch_failed",
                "silent" => "timed_out",
                _ => "agent_removed",
            },
            capture.GetProperty("reason").GetString()
        );
        Assert.NotEmpty(capture.GetProperty("errorMessage").GetString()!);
        Assert.Equal(200, (await InAsync("stuck", "{}")).Status);
    }

    [Fact]
    public async Task A_prompt_too_long_fails_its_capture_with_the_reason()
    {
        await MakeAsync("long", new { agent = "echo", promptTemplate = "{{body}}" });
        var capture = await RequestAsync(
            "long",
            IdOf(
                await InAsync("long", Encoding.ASCII.GetBytes(new string('x', 100_001)), ("Content-Type", "text/plain"))
            )
        );
        Assert.Equal(
            ("failed", "prompt_too_long"),
            (capture.GetProperty("processStatus").GetString(), capture.GetProperty("reason").GetString())
        );
    }

    [Fact]
    public async Task Only_the_newest_finished_captures_are_kept()
    {
        await using var server = await TestServer.StartAsync(set: o => o.Retention.CapturesPerTrigger = 3);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        await server.PostAsync(
            "/api/triggers/user/u/t",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                filter = new { headers = new Dictionary<string, string[]> { ["x-keep"] = ["1"] } },
            }
        );
        for (var i = 0; i < 6; i++)
            await server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, "{}");
        await server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, "{}", ("x-keep", "1"));
        server.Clock.Advance(TimeSpan.FromMinutes(2));
        var (project, uid) = await server.Database.ReadAsync(tx =>
            tx.FirstAsync("SELECT project, uid FROM agent_trigger", r => (r.GetString(0), r.GetString(1)))
        );
        await new Postern.Triggers.CaptureStore(server.Database).SweepAsync(project, uid, 3);
        Assert.Equal(
            4,
            (await server.GetAsync("/api/triggers/user/u/t/requests"))
                .Json.GetProperty("data")
                .GetProperty("requests")
                .GetArrayLength()
        );
    }
}
