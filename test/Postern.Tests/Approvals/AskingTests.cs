using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Approvals;

/// <summary>Asking a person: who may, refusals, rounds, repeats, and what the wait means for the run.</summary>
public sealed class AskingTests : ApprovalTest
{
    private Task<Answer> AskAsync(
        string run,
        object? body,
        string? credential = null,
        string prefix = "/api/v1/executions"
    ) => _server.PostAsync($"{prefix}/{run}/request-approval", body, credential);

    [Fact]
    public async Task A_question_of_the_servers_own_has_an_id_a_link_and_an_end()
    {
        var (run, token, _) = await _asking.RunningAsync();
        var asked = await AskAsync(
            run,
            new
            {
                title = "Deploy?",
                payload = new { version = 7 },
                expires_in_hours = 0.5,
            },
            token
        );
        Assert.Equal(200, asked.Status);
        Assert.Equal(
            ["approval_request_id", "approval_request_url", "status", "expires_at", "payload_hash"],
            asked.Json.EnumerateObject().Select(m => m.Name)
        );
        Assert.StartsWith("apr_", asked.String("approval_request_id"), StringComparison.Ordinal);
        // The link decides, so the asker does not get it.
        Assert.Equal(JsonValueKind.Null, asked.Json.GetProperty("approval_request_url").ValueKind);
        Assert.StartsWith(
            "/approvals/",
            await _asking.LinkAsync(asked.String("approval_request_id")),
            StringComparison.Ordinal
        );
        Assert.Equal("pending", asked.String("status"));
        Assert.Equal(
            Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("{\"version\":7}"u8)),
            asked.String("payload_hash")
        );
        var left =
            DateTimeOffset.Parse(asked.String("expires_at"), System.Globalization.CultureInfo.InvariantCulture)
            - _server.Clock.GetUtcNow();
        Assert.InRange(left.TotalMinutes, 29, 30);

        var waiting = await _asking.RunAsync(run);
        Assert.Equal(
            ("waiting", "waiting", asked.String("approval_request_id")),
            (
                waiting.GetProperty("status").GetString(),
                waiting.GetProperty("phase").GetString(),
                waiting.GetProperty("approvalRequestId").GetString()
            )
        );
        Assert.Equal("It waits for an approval: Deploy?", waiting.GetProperty("reason").GetString());
        var status = (await _server.GetAsync($"/api/v1/executions/{run}/approval-status", token)).Json;
        Assert.Equal(
            ["status", "approval_request_id", "round", "requested_at", "expires_at"],
            status.EnumerateObject().Select(m => m.Name)
        );
        Assert.Equal(
            ("pending", 1),
            (status.GetProperty("status").GetString(), status.GetProperty("round").GetInt32())
        );
        // A reader does not get it either.
        foreach (
            var reader in new[]
            {
                token,
                _server.RootKey,
                await _server.KeyAsync("read:runs"),
                await _server.TokenAsync("read:runs:" + run),
                await _server.TokenAsync("admin"),
                (await _asking.RunningAsync()).Token,
            }
        )
            Assert.DoesNotContain(
                "approvals/",
                (await _server.GetAsync($"/api/v1/executions/{run}/approval-status", reader)).Text,
                StringComparison.Ordinal
            );
        var question = (await _asking.EventsAsync(run)).Single(e =>
            e.GetProperty("type").GetString() == "approval_requested"
        );
        Assert.Equal(
            ("running", "waiting", "Deploy?", 1),
            (
                question.GetProperty("from").GetString(),
                question.GetProperty("to").GetString(),
                question.GetProperty("detail").GetProperty("title").GetString(),
                question.GetProperty("detail").GetProperty("round").GetInt32()
            )
        );
    }

    [Fact]
    public async Task A_question_of_another_service_keeps_its_id_and_its_url()
    {
        var (run, token, _) = await _asking.RunningAsync();
        var asked = await AskAsync(
            run,
            new
            {
                approval_request_id = "hax-17",
                approval_request_url = "https://hax.example/r/17",
                payload_hash = "abc",
            },
            token,
            "/api/v1/agents/p/executions"
        );
        Assert.Equal(
            (200, "hax-17", "https://hax.example/r/17", "abc"),
            (
                asked.Status,
                asked.String("approval_request_id"),
                asked.String("approval_request_url"),
                asked.String("payload_hash")
            )
        );
        Assert.Equal(
            "https://hax.example/r/17",
            (await _asking.StatusAsync(run)).GetProperty("request_url").GetString()
        );
        Assert.Equal(200, (await _server.GetAsync($"/api/v1/agents/p/executions/{run}/approval-status")).Status);
    }

    [Fact]
    public async Task The_same_question_again_is_the_open_one_and_another_is_refused()
    {
        var (run, token, _) = await _asking.RunningAsync();
        var first = await AskAsync(run, new { approval_request_id = "a", payload = new { x = 1 } }, token);
        var again = await AskAsync(run, new { approval_request_id = "a", payload = new { x = 1 } }, token);
        Assert.Equal((200, first.Text), (again.Status, again.Text));
        foreach (
            var other in new object[]
            {
                new { approval_request_id = "a", payload = new { x = 2 } },
                new { approval_request_id = "b" },
                new { title = "no id" },
            }
        )
        {
            var refused = await AskAsync(run, other, token);
            Assert.Equal(
                (409, "approval_already_requested", "a"),
                (refused.Status, refused.String("error"), refused.String("approval_request_id"))
            );
        }
        Assert.Single(await _asking.EventsAsync(run), e => e.GetProperty("type").GetString() == "approval_requested");

        // A repeat after a lost answer finds its question even after the decision.
        await _asking.DecideAsync("a", "approved");
        var late = await AskAsync(run, new { approval_request_id = "a", payload = new { x = 1 } }, token);
        Assert.Equal((200, "approved"), (late.Status, late.String("status")));
        Assert.Equal("running", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
        // An id is used once in a project, by any run.
        var (other2, otherToken, _) = await _asking.RunningAsync();
        var used = await AskAsync(other2, new { approval_request_id = "a", payload = new { x = 1 } }, otherToken);
        Assert.Equal((409, "approval_request_id_used"), (used.Status, used.String("error")));
    }

    [Fact]
    public async Task The_link_of_a_question_goes_to_who_may_decide_and_to_an_agent_that_is_trusted_with_it()
    {
        var (run, token, _) = await _asking.RunningAsync();
        var body = new { title = "Delete it?", payload = new[] { 1, 2 } };
        var first = await AskAsync(run, body, token);
        Assert.Equal(first.Text, (await AskAsync(run, body, token)).Text);
        var byKey = await AskAsync(run, body);
        Assert.Equal(
            (200, JsonValueKind.Null),
            (byKey.Status, byKey.Json.GetProperty("approval_request_url").ValueKind)
        );
        var id = first.String("approval_request_id");
        foreach (
            var reader in new[]
            {
                _server.RootKey,
                await _server.KeyAsync("admin"),
                await _server.KeyAsync("read:approvals", "read:runs"),
                await _server.KeyAsync("read:approvals", "write:approvals:other"),
                await _server.TokenAsync("write:approvals", "read:approvals"),
            }
        )
            Assert.Equal(
                JsonValueKind.Null,
                (await _server.GetAsync("/api/v1/approvals/" + id, reader)).Json.GetProperty("request_url").ValueKind
            );
        Assert.DoesNotContain(
            "/approvals/",
            (await _server.GetAsync("/api/v1/approvals", await _asking.DeciderAsync())).Text,
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            _server.Url,
            (await AskAsync(run, body, await _server.KeyAsync("write:runs", "write:approvals"))).String(
                "approval_request_url"
            ),
            StringComparison.Ordinal
        );

        // An administrator allows this agent to get its links. A key that may only register agents cannot.
        Assert.Equal(
            403,
            (
                await _server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/agents/p",
                    await _server.KeyAsync("admin:tasks"),
                    new { kind = "pull", links = true }
                )
            ).Status
        );
        Assert.Equal(
            200,
            (
                await _server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/agents/p",
                    _server.RootKey,
                    new { kind = "pull", links = true }
                )
            ).Status
        );
        Assert.StartsWith(
            _server.Url,
            (await AskAsync(run, body, token)).String("approval_request_url"),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            _server.Url,
            (await _server.GetAsync($"/api/v1/executions/{run}/approval-status", token)).String("request_url"),
            StringComparison.Ordinal
        );
        Assert.False(
            (await _server.GetAsync($"/api/v1/executions/{run}/approval-status")).Json.TryGetProperty(
                "request_url",
                out _
            )
        );
    }

    [Fact]
    public async Task Subscribers_are_sent_a_link_where_an_administrator_said_so_and_it_is_kept_nowhere()
    {
        await using var plain = await Receiver.StartAsync();
        await using var trusted = await Receiver.StartAsync();
        Assert.Equal(
            403,
            (
                await _server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/webhook-endpoints/trusted",
                    await _server.KeyAsync("write:deliveries"),
                    new
                    {
                        url = trusted.Url,
                        events = new[] { "approval.*" },
                        links = true,
                    }
                )
            ).Status
        );
        Assert.Equal(
            201,
            (
                await _server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/webhook-endpoints/trusted",
                    _server.RootKey,
                    new
                    {
                        url = trusted.Url,
                        events = new[] { "approval.*" },
                        links = true,
                    }
                )
            ).Status
        );
        Assert.Equal(
            201,
            (
                await _server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/webhook-endpoints/plain",
                    _server.RootKey,
                    new { url = plain.Url, events = new[] { "approval.*" } }
                )
            ).Status
        );
        var (_, _, request) = await _asking.WaitingAsync();
        var link = await _asking.LinkAsync(request);
        var (_, told, _) = await trusted.OfTypeAsync("approval.requested");
        Assert.EndsWith(link, told.GetProperty("data").GetProperty("requestUrl").GetString(), StringComparison.Ordinal);
        var (_, other, _) = await plain.OfTypeAsync("approval.requested");
        Assert.False(other.GetProperty("data").TryGetProperty("requestUrl", out _));
        foreach (var path in new[] { "/api/v1/events", "/api/v1/deliveries" })
            Assert.DoesNotContain(link, (await _server.GetAsync(path)).Text, StringComparison.Ordinal);
        Assert.DoesNotContain(
            link[11..],
            await _server.DumpAsync("event", "delivery", "approval", "audit"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Each_round_keeps_its_own_answer()
    {
        var (run, token, first) = await _asking.WaitingAsync(new { title = "Round one" });
        Assert.Equal(
            "running",
            (await _asking.DecideAsync(first, "request_changes", "smaller, please")).String("new_status")
        );
        var second = (await _asking.AskAsync(run, token, new { title = "Round two" })).String("approval_request_id");
        Assert.NotEqual(first, second);
        var status = await _asking.StatusAsync(run);
        Assert.Equal(
            (2, "pending"),
            (status.GetProperty("round").GetInt32(), status.GetProperty("status").GetString())
        );
        await _asking.DecideAsync(second, "approved");
        var one = (await _server.GetAsync("/api/v1/approvals/" + first)).Json;
        Assert.Equal(
            (1, "request_changes", "smaller, please"),
            (
                one.GetProperty("round").GetInt32(),
                one.GetProperty("status").GetString(),
                one.GetProperty("feedback").GetString()
            )
        );
        // A second answer to the first round changes nothing in the second.
        Assert.Equal("already_processed", (await _asking.DecideAsync(first, "request_changes")).String("status"));
        var answers = (await _asking.EventsAsync(run))
            .Where(e => e.GetProperty("type").GetString() == "approval_decided")
            .Select(e => e.GetProperty("detail").GetProperty("decision").GetString());
        Assert.Equal(["request_changes", "approved"], answers);
    }

    [Fact]
    public async Task Only_a_running_run_asks_and_only_for_itself()
    {
        var queued = (await _server.PostAsync("/api/v1/runs", new { agent = "p", start = false })).String("id");
        var early = await AskAsync(queued, new { });
        Assert.Equal(
            (409, "invalid_state", "execution is in 'queued' state; must be 'running' to request approval"),
            (early.Status, early.String("error"), early.String("message"))
        );

        var (run, token, _) = await _asking.RunningAsync();
        var (other, otherToken, _) = await _asking.RunningAsync();
        var missing = await AskAsync("run_none", new { });
        Assert.Equal((404, "{\"error\":\"execution run_none not found\"}"), (missing.Status, missing.Text));
        Assert.Equal(
            missing.Text.Replace("run_none", run, StringComparison.Ordinal),
            (await AskAsync(run, new { }, otherToken)).Text
        );
        var mine = await AskAsync(run, new { }, null, "/api/v1/agents/somebody/executions");
        Assert.Equal((403, "execution_ownership_mismatch"), (mine.Status, mine.String("error")));
        // A token that may write to the run is not the run's own token.
        Assert.Equal(401, (await AskAsync(run, new { }, await _server.TokenAsync($"write:runs:{run}"))).Status);
        Assert.Equal(403, (await AskAsync(run, new { }, await _server.KeyAsync("read:runs"))).Status);
        Assert.Equal(404, (await AskAsync(run, new { }, await _server.KeyAsync("write:sessions"))).Status);
        Assert.Equal(
            (404, "no_approval_request"),
            (
                (await _server.GetAsync($"/api/v1/executions/{run}/approval-status")).Status,
                (await _server.GetAsync($"/api/v1/executions/{run}/approval-status")).String("error")
            )
        );

        await _server.PostAsync($"/api/v1/runs/{run}/status", new { status = "succeeded" }, token);
        Assert.Equal(
            "execution is in 'succeeded' state; must be 'running' to request approval",
            (await AskAsync(run, new { })).String("message")
        );
    }

    [Fact]
    public async Task An_earlier_attempt_asks_nothing()
    {
        var (run, token, _) = await _asking.RunningAsync(lease: 10);
        _server.Clock.Advance(TimeSpan.FromSeconds(15));
        await WaitFor.TrueAsync(async () => (await _asking.RunAsync(run)).GetProperty("attempt").GetInt32() == 2);
        await _server.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 10 });
        var stale = await AskAsync(run, new { }, token);
        Assert.Equal((409, "stale_attempt"), (stale.Status, stale.String("error")));
        Assert.Equal("running", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
    }

    [Theory]
    [InlineData("{\"expires_in_hours\":0}", "invalid_body", "expires_in_hours")]
    [InlineData("{\"expires_in_hours\":-1}", "invalid_body", "expires_in_hours")]
    [InlineData("{\"expires_in_hours\":8760.1}", "invalid_body", "expires_in_hours")]
    [InlineData("{\"expires_in_hours\":\"72\"}", "invalid_body", "expires_in_hours")]
    [InlineData("{\"expires_in_hours\":1e-30}", "invalid_body", "expires_in_hours")]
    [InlineData("{\"on_reject\":\"explode\"}", "invalid_body", "on_reject")]
    [InlineData("{\"title\":7}", "invalid_body", "title")]
    [InlineData("{\"approval_request_id\":\"\"}", "invalid_body", "approval_request_id")]
    [InlineData("{\"approval_request_id\":\" \"}", "invalid_body", "approval_request_id")]
    [InlineData("{\"approval_request_id\":\"a\\u0007\"}", "invalid_body", "approval_request_id")]
    [InlineData(
        "{\"approval_request_id\":\"a\",\"approval_request_url\":\"javascript:alert(1)\"}",
        "invalid_body",
        "approval_request_url"
    )]
    [InlineData("{\"approval_request_url\":\"https://x.example/\"}", "invalid_body", "approval_request_url")]
    [InlineData("{\"options\":\"yes\"}", "invalid_body", "options")]
    [InlineData("{\"payload\":\"\\ud800\"}", "invalid_body", "payload")]
    [InlineData("{\"service\":\"nobody\"}", "invalid_body", "service")]
    [InlineData("{\"callback_url\":\"http://10.0.0.1/\"}", "invalid_callback_url", "callback_url")]
    [InlineData("{\"callback_url\":\"ftp://x.example/\"}", "invalid_callback_url", "callback_url")]
    [InlineData("{\"unknown\":1}", "invalid_body", "unknown")]
    [InlineData("{\"title\":\"a\",\"title\":\"b\"}", "invalid_json", "Invalid JSON")]
    [InlineData("[]", "invalid_body", "object")]
    [InlineData("{", "invalid_json", "Invalid JSON")]
    public async Task A_question_at_fault_names_its_field_and_nothing_waits(string body, string error, string names)
    {
        var (run, token, _) = await _asking.RunningAsync();
        var rows = await _server.CountRowsAsync();
        var refused = await AskAsync(run, body, token);
        Assert.True(
            refused.Status == 400
                && refused.String("error") == error
                && refused.String("message").Contains(names, StringComparison.Ordinal),
            refused.ToString()
        );
        Assert.Equal("running", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
        Assert.Equal(rows, await _server.CountRowsAsync());
    }

    [Fact]
    public async Task A_service_serves_the_agents_that_it_is_given()
    {
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/approval-services/finance",
            _server.RootKey,
            new { secrets = new[] { "a secret of finance, of some length" }, agents = new[] { "payer" } }
        );
        var (run, token, _) = await _asking.RunningAsync();
        var refused = await AskAsync(run, new { service = "finance" }, token);
        Assert.Equal((400, "service does not serve the agent p"), (refused.Status, refused.String("message")));
    }

    [Fact]
    public async Task While_a_person_is_asked_the_runs_own_deadlines_stand_still()
    {
        var id = (await _server.PostAsync("/api/v1/runs", new { agent = "p", deadlineSeconds = 100 })).String("id");
        var token = (await _server.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 10, leaseSeconds = 30 }))
            .Json.GetProperty("data")[0]
            .GetProperty("token")
            .GetString()!;
        var asked = await _asking.AskAsync(id, token, new { expires_in_hours = 10 });
        Assert.Equal(asked.String("expires_at"), (await _asking.RunAsync(id)).GetProperty("deadlineAt").GetString());
        _server.Clock.Advance(TimeSpan.FromHours(9));
        // When one overdue item has ended, the loops have polled once.
        var overdue = (await _server.PostAsync("/api/v1/runs", new { agent = "p", deadlineSeconds = 1 })).String("id");
        _server.Clock.Advance(TimeSpan.FromSeconds(2));
        await WaitFor.TrueAsync(async () =>
            (await _asking.RunAsync(overdue)).GetProperty("phase").GetString() == "timed_out"
        );
        Assert.Equal(
            ("waiting", 1),
            (
                (await _asking.RunAsync(id)).GetProperty("phase").GetString(),
                (await _asking.RunAsync(id)).GetProperty("attempt").GetInt32()
            )
        );

        // Afterwards it has the time that was left, and its worker's lease begins again.
        await _asking.DecideAsync(asked.String("approval_request_id"), "approved");
        var on = await _asking.RunAsync(id);
        var left =
            DateTimeOffset.Parse(
                on.GetProperty("deadlineAt").GetString()!,
                System.Globalization.CultureInfo.InvariantCulture
            ) - _server.Clock.GetUtcNow();
        Assert.InRange(left.TotalSeconds, 60, 100);
        Assert.Equal("running", (await _server.PostAsync($"/api/v1/runs/{id}/heartbeat", null, token)).String("phase"));
    }

    [Fact]
    public async Task A_worker_that_asks_before_its_dispatch_is_answered_has_taken_it_on()
    {
        await using var agent = await Receiver.StartAsync();
        var inDispatch = new TaskCompletionSource<Answer>(TaskCreationOptions.RunContinuationsAsynchronously);
        agent.Handle = async http =>
        {
            if (inDispatch.Task.IsCompleted)
                return;
            var data = JsonSerializer.Deserialize<JsonElement>(agent.Taken.First().Body).GetProperty("data");
            inDispatch.TrySetResult(
                await AskAsync(
                    data.GetProperty("run").GetProperty("id").GetString()!,
                    new { title = "Quick" },
                    data.GetProperty("token").GetString()
                )
            );
            http.Response.StatusCode = 202;
        };
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/quick",
            _server.RootKey,
            new { kind = "http", url = agent.Url }
        );
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "quick" })).String("id");
        Assert.Equal(200, (await inDispatch.Task).Status);
        await WaitFor.TrueAsync(async () =>
            (await _asking.EventsAsync(run)).Any(e => e.GetProperty("type").GetString() == "dispatch")
        );
        Assert.Equal("waiting", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
    }
}
