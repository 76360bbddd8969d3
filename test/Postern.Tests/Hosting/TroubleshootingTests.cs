using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Hosting;

/// <summary>Nothing waits for ever and nothing ends silently: every line of docs/troubleshooting.md is true.</summary>
public sealed class TroubleshootingTests : IAsyncLifetime
{
    private static readonly Dictionary<string, Func<TroubleshootingTests, Task>> Cases = new(StringComparer.Ordinal)
    {
        ["refused: nothing was sent"] = t =>
            t.RefusedAsync(t._server.SendAsync(HttpMethod.Get, "/api/v1/runs"), 401, "missing"),
        ["refused: the key was revoked"] = async t =>
        {
            var (id, key) = await t._server.NamedKeyAsync("gone", "read:runs");
            await t._server.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + id, t._server.RootKey);
            await t.RefusedAsync(t._server.GetAsync("/api/v1/runs", key), 401, "revoked_key", id);
        },
        ["refused: the key was rotated"] = async t =>
        {
            var (id, key) = await t._server.NamedKeyAsync("turned", "read:runs");
            await t._server.PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 60 });
            Assert.Equal(200, (await t._server.GetAsync("/api/v1/runs", key)).Status);
            t._server.Clock.Advance(TimeSpan.FromSeconds(61));
            await t.RefusedAsync(t._server.GetAsync("/api/v1/runs", key), 401, "rotated_key", id);
        },
        ["refused: the key lacks a scope"] = async t =>
        {
            var (id, key) = await t._server.NamedKeyAsync("narrow", "read:runs");
            await t.RefusedAsync(t._server.GetAsync("/api/v1/deliveries", key), 403, "read:deliveries", id);
        },
        ["refused: the credential is of another kind"] = async t =>
            await t.RefusedAsync(
                t._server.GetAsync("/api/v1/keys", await t._server.TokenAsync("admin")),
                401,
                "wrong_kind",
                "Key"
            ),
        ["refused: too many wrong credentials came from the address"] = async t =>
        {
            await using var server = await TestServer.StartAsync(set: o => o.RateLimits.FailuresPerMinute = 1);
            var answer = await server.GetAsync("/api/v1/runs", "wrong");
            for (var i = 0; i < 20 && answer.Status != 429; i++)
                answer = await server.GetAsync("/api/v1/runs", "wrong");
            Assert.NotNull(answer.Header("Retry-After"));
            Assert.Equal(200, (await server.GetAsync("/api/v1/runs")).Status);
            var row = (await server.GetAsync("/api/v1/audit?id=" + answer.Header("X-Refusal-Id"))).Text;
            Assert.Contains("too_many_failures", row, StringComparison.Ordinal);
            Assert.Contains("127.0.0.1", row, StringComparison.Ordinal);
        },
        ["refused: a webhook is signed with another secret"] = async t =>
        {
            await t.SignedTriggerAsync();
            await t.RefusedAsync(
                t.SignedAsync("another secret of nobody's", 0),
                401,
                "wrong_signature",
                "user/u/signed"
            );
        },
        ["refused: a webhook was signed too long ago"] = async t =>
        {
            await t.SignedTriggerAsync();
            await t.RefusedAsync(t.SignedAsync(Secret, -412), 401, "\"signed_4", "_s_ago", "user/u/signed");
        },
        ["refused: a webhook comes to a paused trigger"] = async t =>
        {
            await t.SignedTriggerAsync();
            await t._server.SendAsync(
                HttpMethod.Put,
                "/api/triggers/user/u/signed",
                t._server.RootKey,
                new { isActive = false }
            );
            Assert.Equal(404, (await t.SignedAsync(Secret, 0)).Status);
            await WaitFor.TrueAsync(async () =>
                (await t._server.GetAsync("/api/v1/audit?trigger=user/u/signed")).Text.Contains(
                    "paused",
                    StringComparison.Ordinal
                )
            );
        },
        ["run: no worker claims it"] = async t =>
            await t.RunEndsAsync(await t.RunAsync("p"), 3601, "timed_out", "No agent took the run on in time."),
        ["run: it is made and never started"] = async t =>
            await t.RunEndsAsync(
                await t.RunAsync("p", start: false),
                3601,
                "timed_out",
                "No agent took the run on in time."
            ),
        ["run: its agent cannot be reached"] = async t =>
        {
            t._receiver.Answers = _ => (503, "");
            var run = await t.RunAsync("h");
            await t.EventAsync(run, "dispatch");
            for (var minutes = 0; minutes < 61 && !await t.IsOverAsync(run); minutes += 10)
            {
                t._server.Clock.Advance(TimeSpan.FromMinutes(10.2));
                await t._server.GetAsync($"/api/v1/runs/{run}?wait=2");
            }
            await t.RunEndsAsync(run, 0, "failed", "dispatch_failed");
        },
        ["run: its agent refuses the dispatch"] = async t =>
        {
            t._receiver.Answers = _ => (403, "not you");
            await t.RunEndsAsync(await t.RunAsync("h"), 0, "failed", "dispatch_failed", "403", "not you");
        },
        ["run: its agent's answer is not understood"] = async t =>
        {
            t._receiver.Answers = _ => (200, "<html>");
            await t.RunEndsAsync(await t.RunAsync("h"), 0, "failed", "answer_not_understood", "no strict JSON");
        },
        ["run: its agent takes it on and goes silent"] = async t =>
        {
            var run = await t.RunAsync("h");
            await WaitFor.TrueAsync(async () =>
                (await t._server.GetAsync("/api/v1/runs/" + run)).String("status") == "running"
            );
            await t.RunEndsAsync(run, 901, "timed_out", "The worker neither reported nor sent a heartbeat in time.");
        },
        ["run: its worker dies"] = async t =>
        {
            var run = await t.RunAsync("p");
            for (var i = 0; i < 5; i++)
            {
                await t.ClaimAsync();
                t._server.Clock.Advance(TimeSpan.FromSeconds(11));
            }
            await t.RunEndsAsync(run, 0, "failed", "lease_lost");
            await t.EventAsync(run, "lease_lost");
        },
        ["run: it is paused and forgotten"] = async t =>
        {
            var run = await t.RunAsync("p");
            await t.ClaimAsync();
            Assert.Equal(200, (await t._server.PostAsync($"/api/v1/runs/{run}/pause", null)).Status);
            await t.RunEndsAsync(run, 86_401, "timed_out", "The run outlived its time.");
        },
        ["run: its agent is removed"] = async t =>
        {
            var run = await t.RunAsync("p");
            Assert.Equal(
                409,
                (await t._server.SendAsync(HttpMethod.Delete, "/api/v1/agents/p", t._server.RootKey)).Status
            );
            Assert.Equal(
                204,
                (await t._server.SendAsync(HttpMethod.Delete, "/api/v1/agents/p?force=1", t._server.RootKey)).Status
            );
            await t.RunEndsAsync(run, 0, "failed", "agent");
        },
        ["capture: its prompt is too long"] = async t =>
        {
            await t.TriggerAsync("p");
            await t._server.PostAsync("/inbound/user/u/t", new { text = new string('x', 100_001) }, "");
            await t.CaptureAsync("failed", "prompt_too_long", "100000");
        },
        ["capture: its agent is not registered"] = async t =>
        {
            await t.TriggerAsync("p");
            await t._server.SendAsync(HttpMethod.Delete, "/api/v1/agents/p", t._server.RootKey);
            await t._server.PostAsync("/inbound/user/u/t", new { text = "x" }, "");
            await t.CaptureAsync("failed", "unknown_agent", "not registered");
        },
        ["capture: its run ends badly"] = async t =>
        {
            await t.TriggerAsync("h");
            t._receiver.Answers = _ => (403, "not you");
            await t._server.PostAsync("/inbound/user/u/t", new { text = "x" }, "");
            await t.CaptureAsync("failed", "dispatch_failed", "not you");
        },
        ["delivery: its receiver does not answer"] = async t =>
        {
            t._receiver.Answers = _ => (500, "");
            await t.SubscribeAsync();
            // Moves the clock to each try when the previous one is recorded, so that none is skipped and no lease
            // expires.
            for (var tries = 1; tries <= 10; tries++)
            {
                await WaitFor.TrueAsync(async () => (await t.DeliveryAsync()).Attempts == tries);
                if (await t.NextTryAsync() is { } next)
                    t._server.Clock.Advance(next - t._server.Clock.GetUtcNow() + TimeSpan.FromSeconds(1));
            }
            await WaitFor.TrueAsync(async () => (await t.DeliveryAsync()).Status == "dead");
            Assert.Equal(10, (await t.DeliveryAsync()).Attempts);
            await WaitFor.TrueAsync(async () =>
                (await t._server.GetAsync("/api/v1/events?type=delivery.dead")).Text.Contains(
                    "hook",
                    StringComparison.Ordinal
                )
            );
        },
        ["delivery: its receiver refuses it"] = async t =>
        {
            t._receiver.Answers = _ => (404, "nobody here");
            await t.SubscribeAsync();
            await t.DeliveryEndsAsync("404");
        },
        ["delivery: its address is not allowed"] = async t =>
        {
            await t.SubscribeAsync();
            await t.MoveEndpointAsync("http://169.254.169.254/");
            await t.DeliveryEndsAsync("address_refused");
        },
        ["delivery: its endpoint is removed"] = async t =>
        {
            t._receiver.Answers = _ => (500, "");
            await t.SubscribeAsync();
            await t._server.SendAsync(HttpMethod.Delete, "/api/v1/webhook-endpoints/hook", t._server.RootKey);
            await t.DeliveryEndsAsync("endpoint");
        },
        ["approval: nobody decides"] = async t =>
        {
            var (run, request) = await t.AskAsync();
            await t.RunEndsAsync(run, 72 * 3600 + 1, "cancelled", "expired");
            Assert.Equal(
                "expired",
                (await t._server.GetAsync($"/api/v1/executions/{run}/approval-status")).String("status")
            );
            Assert.Contains(
                request,
                (await t._server.GetAsync("/api/v1/events?type=approval.expired")).Text,
                StringComparison.Ordinal
            );
        },
        ["approval: its run is cancelled"] = async t =>
        {
            var (run, _) = await t.AskAsync();
            await t._server.PostAsync($"/api/v1/runs/{run}/cancel", null);
            Assert.Equal(
                "cancelled",
                (await t._server.GetAsync($"/api/v1/executions/{run}/approval-status")).String("status")
            );
            var person = await t._server.KeyAsync("write:approvals", "read:all");
            Assert.Equal(
                410,
                (
                    await t._server.PostAsync(
                        $"/api/v1/executions/{run}/approval-response",
                        new { decision = "approved" },
                        person
                    )
                ).Status
            );
        },
        ["approval: its service has no secret"] = async t =>
        {
            var (run, request) = await t.AskAsync();
            var decided = await t._server.PostAsync(
                "/api/v1/webhooks/approval-response",
                new { requestId = request, decision = "approved" },
                ""
            );
            Assert.Equal((503, "approval webhook not configured"), (decided.Status, decided.String("error")));
            await t.RunEndsAsync(run, 72 * 3600 + 1, "cancelled", "expired");
        },
        ["schedule: the server was down"] = async t =>
        {
            await t.ScheduleAsync("echo", 61);
            await WaitFor.TrueAsync(async () => (await t.ReasonsAsync()).Count(r => r == "skipped") >= 10);
        },
        ["schedule: all its places are taken"] = async t =>
        {
            await t.ScheduleAsync("p", 0);
            await t._server.PostAsync("/api/triggers/user/u/often/invoke", null);
            t._server.Clock.Advance(TimeSpan.FromMinutes(5.6));
            await WaitFor.TrueAsync(async () => (await t.ReasonsAsync()).Contains("in_flight_limit"));
        },
        ["schedule: its agent is not registered"] = async t =>
        {
            await t.ScheduleAsync("p", 0);
            await t._server.SendAsync(HttpMethod.Delete, "/api/v1/agents/p", t._server.RootKey);
            t._server.Clock.Advance(TimeSpan.FromMinutes(5.6));
            await WaitFor.TrueAsync(async () => (await t.ReasonsAsync()).Contains("unknown_agent"));
            var trigger = (await t._server.GetAsync("/api/triggers/user/u/often")).Json.GetProperty("data");
            Assert.Equal(JsonValueKind.String, trigger.GetProperty("nextRunAt").ValueKind);
        },
        ["schedule: it cannot be reckoned"] = async t =>
        {
            await t.ScheduleAsync("echo", 0);
            await t._server.Database.WriteAsync(tx =>
                tx.ExecuteAsync("UPDATE agent_trigger SET zone = 'Nowhere/Atlantis', due_at = 1")
            );
            await WaitFor.TrueAsync(async () =>
                (await t._server.GetAsync("/api/triggers/user/u/often"))
                    .Json.GetProperty("data")
                    .GetProperty("scheduleProblem")
                    .GetString()
                    ?.Contains("cronTimezone", StringComparison.Ordinal) == true
            );
        },
        ["session: its agent is gone"] = async t =>
        {
            await t._server.StartSessionAsync("s", agent: "p");
            await t._server.SendAsync(HttpMethod.Delete, "/api/v1/agents/p?force=1", t._server.RootKey);
            Assert.False((await t._server.SayAsync("s", "hello")).Json.GetProperty("runEnsured").GetBoolean());
            await t.TurnEndsAsync(301, "is not registered");
        },
        ["session: its agent does not finish the turn"] = async t =>
        {
            await t._server.StartSessionAsync("s", agent: "h");
            await t._server.SayAsync("s", "hello");
            await t._receiver.NextAsync();
            await t.TurnEndsAsync(901, "did not finish its turn in time");
        },
        ["session: its run ends while a client waits"] = async t =>
        {
            var session = await t._server.StartSessionAsync("s", agent: "h");
            await t._server.SayAsync("s", "hello");
            await t._receiver.NextAsync();
            await t._server.PostAsync($"/api/v1/runs/{session.String("runId")}/cancel", new { reason = "enough" });
            await t.TurnEndsAsync(0, "enough");
        },
    };

    private TestServer _server = null!;
    private Receiver _receiver = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _receiver = await Receiver.StartAsync();
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", _server.RootKey, new { kind = "pull" });
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/h",
            _server.RootKey,
            new { kind = "http", url = _receiver.Url }
        );
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _receiver.DisposeAsync();
    }

    /// <summary>Returns the lines of the page's table.</summary>
    public static TheoryData<string> Lines() =>
        [
            .. File.ReadAllLines(Repository.File("docs/troubleshooting.md"))
                .Where(l =>
                    l.StartsWith("| ", StringComparison.Ordinal)
                    && l.Contains(": ", StringComparison.Ordinal)
                    && !l.StartsWith("| What", StringComparison.Ordinal)
                )
                .Select(l => l.Split('|')[1].Trim()),
        ];

    [Theory]
    [MemberData(nameof(Lines))]
    public Task It_ends_by_itself_and_says_why(string line) =>
        Cases.TryGetValue(line, out var holds)
            ? holds(this)
            : throw new InvalidOperationException($"\"{line}\" has no case here.");

    [Fact]
    public void Every_case_stands_in_the_page() =>
        Assert.Equal(
            Cases.Keys.Order(StringComparer.Ordinal),
            Lines().Select(l => l.Data).Order(StringComparer.Ordinal)
        );

    private async Task<string> RunAsync(string agent, bool start = true) =>
        (await _server.PostAsync("/api/v1/runs", new { agent, start })).String("id");

    private async Task<JsonElement> ClaimAsync() =>
        (
            await _server.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 10, leaseSeconds = 10 })
        ).Json.GetProperty("data")[0];

    private async Task<bool> IsOverAsync(string run) =>
        (await _server.GetAsync("/api/v1/runs/" + run)).String("phase") is not ("queued" or "running");

    private async Task RunEndsAsync(string run, int afterSeconds, string phase, params string[] says)
    {
        _server.Clock.Advance(TimeSpan.FromSeconds(afterSeconds));
        await WaitFor.TrueAsync(
            async () => (await _server.GetAsync("/api/v1/runs/" + run)).String("phase") == phase,
            what: phase
        );
        var text = (await _server.GetAsync("/api/v1/runs/" + run)).Text;
        foreach (var word in says)
            Assert.Contains(word, text, StringComparison.Ordinal);
    }

    private Task EventAsync(string run, string type) =>
        WaitFor.TrueAsync(
            async () =>
                (await _server.GetAsync($"/api/v1/runs/{run}/events"))
                    .Json.GetProperty("data")
                    .EnumerateArray()
                    .Any(e => e.GetProperty("type").GetString() == type),
            what: type
        );

    private async Task TriggerAsync(string agent)
    {
        var made = await _server.PostAsync("/api/triggers/user/u/t", new { agent, promptTemplate = "{{body.text}}" });
        Assert.True(made.Status == 201, made.ToString());
    }

    private async Task CaptureAsync(string status, string reason, string message)
    {
        JsonElement capture = default;
        await WaitFor.TrueAsync(async () =>
        {
            capture = (await _server.GetAsync("/api/triggers/user/u/t/requests"))
                .Json.GetProperty("data")
                .GetProperty("requests")[0];
            return capture.GetProperty("processStatus").GetString() == status;
        });
        Assert.Equal(reason, capture.GetProperty("reason").GetString());
        Assert.Contains(message, capture.GetProperty("errorMessage").GetString(), StringComparison.Ordinal);
    }

    /// <summary>An endpoint, and an event for it.</summary>
    private async Task SubscribeAsync()
    {
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/hook",
            _server.RootKey,
            new { url = _receiver.Url, events = new[] { "run.created" } }
        );
        await RunAsync("p");
        await WaitFor.TrueAsync(async () => (await DeliveryAsync()).Attempts > 0);
    }

    private async Task<(string Status, int Attempts, string Text)> DeliveryAsync()
    {
        var all = (await _server.GetAsync("/api/v1/deliveries?purpose=event")).Json.GetProperty("data");
        if (all.GetArrayLength() == 0)
            return ("", 0, "");
        var one = (
            await _server.GetAsync("/api/v1/deliveries/" + all[all.GetArrayLength() - 1].GetProperty("id").GetString())
        ).Json;
        return (one.GetProperty("status").GetString()!, one.GetProperty("attemptCount").GetInt32(), one.GetRawText());
    }

    private async Task<DateTimeOffset?> NextTryAsync() =>
        JsonDocument.Parse((await DeliveryAsync()).Text).RootElement.GetProperty("nextAttemptAt")
            is { ValueKind: JsonValueKind.String } at
            ? at.GetDateTimeOffset()
            : null;

    /// <summary>The address was allowed when it was stored, like one in a database of an older version.</summary>
    private async Task MoveEndpointAsync(string url)
    {
        await _server.Database.WriteAsync(tx => tx.ExecuteAsync("UPDATE webhook_endpoint SET url = $1", url));
        await RunAsync("p");
    }

    private async Task DeliveryEndsAsync(string says) =>
        await WaitFor.TrueAsync(
            async () =>
                (await _server.GetAsync("/api/v1/deliveries?status=dead&purpose=event"))
                    .Json.GetProperty("data")
                    .EnumerateArray()
                    .Any() && await DeadSaysAsync(says),
            what: says
        );

    private async Task<bool> DeadSaysAsync(string says)
    {
        var id = (await _server.GetAsync("/api/v1/deliveries?status=dead&purpose=event"))
            .Json.GetProperty("data")[0]
            .GetProperty("id")
            .GetString();
        return (await _server.GetAsync("/api/v1/deliveries/" + id)).Text.Contains(says, StringComparison.Ordinal);
    }

    private async Task<(string Run, string Request)> AskAsync()
    {
        var run = await RunAsync("p");
        var token = (await ClaimAsync()).GetProperty("token").GetString();
        return (
            run,
            (
                await _server.PostAsync($"/api/v1/executions/{run}/request-approval", new { title = "Go?" }, token)
            ).String("approval_request_id")
        );
    }

    private async Task ScheduleAsync(string agent, int minutes)
    {
        var made = await _server.PostAsync(
            "/api/triggers/user/u/often",
            new
            {
                agent,
                promptTemplate = "x",
                activationMode = "scheduled",
                cronExpression = "*/5 * * * *",
                maxInFlight = 1,
            }
        );
        Assert.True(made.Status == 201, made.ToString());
        _server.Clock.Advance(TimeSpan.FromMinutes(minutes));
    }

    private async Task<List<string?>> ReasonsAsync() =>
        [
            .. (await _server.GetAsync("/api/triggers/user/u/often/requests?limit=100"))
                .Json.GetProperty("data")
                .GetProperty("requests")
                .EnumerateArray()
                .Select(c => c.GetProperty("reason").GetString()),
        ];

    private async Task TurnEndsAsync(int afterSeconds, string says)
    {
        await using var stream = await _server.StreamAsync("/realtime/v1/sessions/s/out");
        _server.Clock.Advance(TimeSpan.FromSeconds(afterSeconds));
        var records = string.Concat(
            (await stream.RecordsAsync(r => r.Any(EventReader.IsTurnComplete))).Select(r => r.GetRawText())
        );
        Assert.Contains(says, records, StringComparison.Ordinal);
        Assert.Contains(says, (await _server.GetAsync("/sessions/s/history")).Text, StringComparison.Ordinal);
    }

    private const string Secret = "a secret of the sender's, long enough";

    private Task<Answer> SignedTriggerAsync() =>
        _server.PostAsync(
            "/api/triggers/user/u/signed",
            new
            {
                agent = "echo",
                promptTemplate = "x",
                webhookAuth = new { scheme = "stripe", secret = Secret },
            }
        );

    private Task<Answer> SignedAsync(string secret, long after)
    {
        var at = (_server.Database.Now / 1_000_000) + after;
        var mac = System.Security.Cryptography.HMACSHA256.HashData(
            System.Text.Encoding.UTF8.GetBytes(secret),
            System.Text.Encoding.UTF8.GetBytes($"{at}.{{}}")
        );
        return _server.SendAsync(
            HttpMethod.Post,
            "/inbound/user/u/signed",
            null,
            "{}",
            ("Stripe-Signature", $"t={at},v1={Convert.ToHexStringLower(mac)}")
        );
    }

    /// <summary>The request is refused, and the row of its id contains these words.</summary>
    private async Task RefusedAsync(Task<Answer> request, int status, params string[] words)
    {
        var answer = await request;
        Assert.Equal(status, answer.Status);
        var row = (await _server.GetAsync("/api/v1/audit?id=" + answer.Header("X-Refusal-Id"))).Text;
        foreach (var word in words)
            Assert.Contains(word, row, StringComparison.Ordinal);
    }
}
