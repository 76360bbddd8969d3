using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Postern.Support;

namespace Postern.Tests.Approvals;

/// <summary>Decisions with a key or token, the list of open questions, waiting for the answer, and the clock.</summary>
public sealed class InsideTests : ApprovalTest
{
    private Task<Answer> DecideAsync(string run, object body, string? credential) =>
        _server.PostAsync($"/api/v1/executions/{run}/approval-response", body, credential);

    [Fact]
    public async Task It_takes_a_right_that_was_granted_by_name()
    {
        var (run, token, request) = await _asking.WaitingAsync();
        var rows = await _server.CountRowsAsync();
        var others = new[]
        {
            _server.RootKey,
            await _server.KeyAsync(),
            await _server.KeyAsync("admin"),
            await _server.KeyAsync("operator.admin"),
            await _server.KeyAsync("write:all"),
            await _server.KeyAsync("*:all"),
            await _server.KeyAsync("operator.write"),
            await _server.KeyAsync("read:approvals"),
            await _server.KeyAsync("write:runs"),
            await _server.TokenAsync("admin"),
            await _server.TokenAsync("write:all"),
            await _server.TokenAsync("write:approvals"),
        };
        rows += 7;
        foreach (var (credential, place) in others.Select((o, i) => (o, i)))
        {
            var refused = await DecideAsync(run, new { decision = "approved" }, credential);
            Assert.True(refused.Status == 403 && refused.String("error") == "missing_scope", $"{place}: {refused}");
        }
        var own = await DecideAsync(run, new { decision = "approved" }, token);
        Assert.Equal(401, own.Status);
        // A right to decide other questions does not cover this one.
        foreach (
            var credential in new[]
            {
                await _server.KeyAsync("write:approvals:other"),
                await _server.TokenOfAsync(await _server.KeyAsync("write:approvals:other"), "write:approvals:other"),
            }
        )
            Assert.Equal(
                (404, $"execution {run} not found"),
                (
                    (await DecideAsync(run, new { decision = "approved" }, credential)).Status,
                    (await DecideAsync(run, new { decision = "approved" }, credential)).String("error")
                )
            );
        Assert.Equal("pending", (await _asking.StatusAsync(run)).GetProperty("status").GetString());

        var decider = await _server.KeyAsync("operator.approvals");
        var won = await DecideAsync(
            run,
            new
            {
                decision = "approved",
                reason = "checked",
                response = new { limit = 5 },
            },
            decider
        );
        Assert.Equal((200, "processed", "running"), (won.Status, won.String("status"), won.String("new_status")));
        Assert.Equal(
            "already_processed",
            (
                await DecideAsync(
                    run,
                    new { decision = "approve" },
                    await _server.TokenOfAsync(decider, $"write:approvals:{request}")
                )
            ).String("status")
        );
        var lost = await DecideAsync(
            run,
            new { decision = "rejected" },
            await _server.TokenOfAsync(decider, "write:approvals")
        );
        Assert.Equal(
            (409, "decision_conflict", "approved"),
            (lost.Status, lost.String("error"), lost.String("approval_status"))
        );
    }

    [Fact]
    public async Task Who_decided_and_when_is_recorded()
    {
        var (id, decider) = await _server.NamedKeyAsync("ada", "write:approvals", "read:approvals");
        var (run, _, request) = await _asking.WaitingAsync();
        await DecideAsync(run, new { decision = "rejected", reason = "no" }, decider);
        var kept = (await _server.GetAsync("/api/v1/approvals/" + request, decider)).Json;
        Assert.Equal(
            ("key", id, "no"),
            (
                kept.GetProperty("decided_with").GetString(),
                kept.GetProperty("decided_by").GetString(),
                kept.GetProperty("feedback").GetString()
            )
        );
        Assert.NotEqual(JsonValueKind.Null, kept.GetProperty("responded_at").ValueKind);
        var answer = (await _asking.EventsAsync(run)).Single(e =>
            e.GetProperty("type").GetString() == "approval_decided"
        );
        Assert.Equal(
            (id, "key"),
            (answer.GetProperty("actor").GetString(), answer.GetProperty("credential").GetString())
        );
        var audit = (await _server.GetAsync("/api/v1/audit?limit=20"))
            .Json.GetProperty("data")
            .EnumerateArray()
            .Single(a => a.GetProperty("action").GetString() == "approval.decided");
        Assert.Equal(
            (id, $"rejected {run} round 1"),
            (audit.GetProperty("actor").GetString(), audit.GetProperty("reason").GetString())
        );
    }

    [Fact]
    public async Task The_asker_cannot_answer()
    {
        var (id, key) = await _server.NamedKeyAsync("both", "write:runs", "read:runs", "write:approvals", "admin");
        var (run, _, _) = await _asking.RunningAsync();
        Assert.Equal(200, (await _server.PostAsync($"/api/v1/executions/{run}/request-approval", new { }, key)).Status);
        var minted = await _server.TokenOfAsync(key, "write:approvals");
        var made = (
            await _server.PostAsync("/api/v1/keys", new { name = "made", scopes = new[] { "write:approvals" } }, key)
        ).String("key");
        foreach (var credential in new[] { key, minted, made, await _server.TokenOfAsync(made, "write:approvals") })
        {
            var refused = await DecideAsync(run, new { decision = "approved" }, credential);
            Assert.Equal((403, "self_approval"), (refused.Status, refused.String("error")));
        }
        // A rotated key is the same key.
        var turned = (await _server.PostAsync($"/api/v1/keys/{id}/rotate", new { }, key)).String("key");
        Assert.Equal("self_approval", (await DecideAsync(run, new { decision = "approved" }, turned)).String("error"));
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/audit?limit=50")).Text.Contains("scope.refused", StringComparison.Ordinal)
        );
        Assert.Equal(200, (await DecideAsync(run, new { decision = "approved" }, await _asking.DeciderAsync())).Status);
    }

    [Fact]
    public async Task A_project_may_let_its_keys_answer_themselves_and_a_run_never()
    {
        await using var server = await TestServer.StartAsync(set: o =>
            o.Approvals.DangerousSelfApprovalProjects = ["default"]
        );
        var asking = await Asking.PrepareAsync(server);
        var key = await server.KeyAsync("write:runs", "write:approvals");
        var (run, token, _) = await asking.RunningAsync();
        await server.PostAsync($"/api/v1/executions/{run}/request-approval", new { }, key);
        Assert.Equal(
            401,
            (
                await server.PostAsync(
                    $"/api/v1/executions/{run}/approval-response",
                    new { decision = "approved" },
                    token
                )
            ).Status
        );
        Assert.Equal(
            200,
            (
                await server.PostAsync(
                    $"/api/v1/executions/{run}/approval-response",
                    new { decision = "approved" },
                    key
                )
            ).Status
        );
    }

    [Fact]
    public async Task A_decision_is_about_the_question_that_was_seen()
    {
        var decider = await _asking.DeciderAsync();
        var (run, token, first) = await _asking.WaitingAsync(new { payload = 1 });
        await _asking.DecideAsync(first, "request_changes");
        var second = (await _asking.AskAsync(run, token, new { payload = 2, payload_hash = "two" })).String(
            "approval_request_id"
        );
        var seen = await DecideAsync(run, new { decision = "approved", approval_request_id = first }, decider);
        Assert.Equal(
            (409, "other_approval_request", second),
            (seen.Status, seen.String("error"), seen.String("approval_request_id"))
        );
        var hash = await DecideAsync(run, new { decision = "approved", payload_hash = "one" }, decider);
        Assert.Equal((409, "payload_mismatch"), (hash.Status, hash.String("error")));
        Assert.Equal("pending", (await _asking.StatusAsync(run)).GetProperty("status").GetString());
        Assert.Equal(
            200,
            (
                await DecideAsync(
                    run,
                    new
                    {
                        decision = "approved",
                        approval_request_id = second,
                        payload_hash = "two",
                    },
                    decider
                )
            ).Status
        );
    }

    [Theory]
    [InlineData("{}", "decision must be approved, rejected, request_changes, or expired")]
    [InlineData("{\"decision\":true}", "decision must be")]
    [InlineData("{\"decision\":\"yes\"}", "decision must be")]
    [InlineData("{\"decision\":\"approved\",\"reason\":1}", "reason must be a string")]
    [InlineData("{\"decision\":\"approved\",\"response\":\"\\ud800\"}", "response holds text")]
    [InlineData("{\"decision\":\"approved\",\"decison\":\"rejected\"}", "decison is not a known field")]
    [InlineData("{\"decision\":\"approved\",\"decision\":\"rejected\"}", "Invalid JSON")]
    public async Task A_decision_at_fault_decides_nothing(string body, string says)
    {
        var (run, _, _) = await _asking.WaitingAsync();
        var refused = await DecideAsync(run, body, await _asking.DeciderAsync());
        Assert.True(
            refused.Status == 400 && refused.String("message").Contains(says, StringComparison.Ordinal),
            refused.ToString()
        );
        Assert.Equal("pending", (await _asking.StatusAsync(run)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_run_that_has_not_asked_cannot_be_answered()
    {
        var (run, _, _) = await _asking.RunningAsync();
        var decider = await _asking.DeciderAsync();
        Assert.Equal(
            (404, "no_approval_request"),
            (
                (await DecideAsync(run, new { decision = "approved" }, decider)).Status,
                (await DecideAsync(run, new { decision = "approved" }, decider)).String("error")
            )
        );
        Assert.Equal(
            (404, "execution run_none not found"),
            (
                (
                    await DecideAsync(
                        "run_none",
                        new { decision = "approved" },
                        await _server.TokenOfAsync(await _server.KeyAsync("write:approvals"), "write:approvals")
                    )
                ).Status,
                (
                    await DecideAsync(
                        "run_none",
                        new { decision = "approved" },
                        await _server.TokenOfAsync(await _server.KeyAsync("write:approvals"), "write:approvals")
                    )
                ).String("error")
            )
        );
    }

    [Fact]
    public async Task The_list_shows_what_waits_the_longest_first_page_by_page()
    {
        var made = new List<(string Run, string Request)>();
        for (var i = 0; i < 5; i++)
        {
            var (run, _, request) = await _asking.WaitingAsync(
                new
                {
                    title = "q" + i,
                    payload = new { i },
                    approval_request_id = i == 3 ? new string('é', 255) : "q-" + i,
                }
            );
            made.Add((run, request));
            _server.Clock.Advance(TimeSpan.FromSeconds(1));
        }
        await _asking.DecideAsync(made[1].Request, "approved");
        var reader = await _server.KeyAsync("read:approvals");
        var seen = new List<string>();
        string? cursor = null;
        do
        {
            var page = (
                await _server.GetAsync(
                    "/api/v1/approvals?status=pending&limit=1" + (cursor is null ? "" : "&cursor=" + cursor),
                    reader
                )
            ).Json;
            seen.AddRange(
                page.GetProperty("data").EnumerateArray().Select(a => a.GetProperty("approval_request_id").GetString()!)
            );
            cursor = page.TryGetProperty("nextCursor", out var next) ? next.GetString() : null;
        } while (cursor is not null);
        Assert.Equal(made.Where((_, i) => i != 1).Select(m => m.Request), seen);
        var all = (await _server.GetAsync("/api/v1/approvals", reader))
            .Json.GetProperty("data")
            .EnumerateArray()
            .Select(a => a.GetProperty("approval_request_id").GetString());
        Assert.Equal(made.Select(m => m.Request).Reverse(), all);
        var one = (
            await _server.GetAsync(
                $"/api/v1/approvals?status=pending,approved&run={made[0].Run}&agent=p&service=default"
                    + "&requested=2020-01-01..",
                reader
            )
        ).Json.GetProperty("data")[0];
        Assert.Equal(
            ("q0", "{\"i\":0}", "run", made[0].Run),
            (
                one.GetProperty("title").GetString(),
                one.GetProperty("payload").GetRawText(),
                one.GetProperty("asked_with").GetString(),
                one.GetProperty("asked_by").GetString()
            )
        );
        Assert.True(one.GetProperty("waited_seconds").GetInt64() >= 4);
        Assert.Equal(
            200,
            (await _server.GetAsync("/api/v1/approvals/" + Uri.EscapeDataString(made[3].Request), reader)).Status
        );

        foreach (var bad in (string[])["status=open", "limit=0", "cursor=x", "requested=yesterday"])
            Assert.Equal(400, (await _server.GetAsync("/api/v1/approvals?" + bad, reader)).Status);
        Assert.Equal(403, (await _server.GetAsync("/api/v1/approvals", await _server.KeyAsync("read:runs"))).Status);
        Assert.Equal(
            404,
            (await _server.GetAsync("/api/v1/approvals/q-0", await _server.KeyAsync("read:approvals:q-1"))).Status
        );
        Assert.Equal(404, (await _server.GetAsync("/api/v1/approvals/nothing", reader)).Status);
    }

    [Fact]
    public async Task A_page_holds_as_many_payloads_as_fit_and_says_where_it_goes_on()
    {
        for (var i = 0; i < 20; i++)
            await _asking.WaitingAsync(new { payload = new string('x', 260_000) });
        var sizes = new List<int>();
        string? cursor = null;
        do
        {
            var page = (
                await _server.GetAsync("/api/v1/approvals?status=pending" + (cursor is null ? "" : "&cursor=" + cursor))
            ).Json;
            sizes.Add(page.GetProperty("data").GetArrayLength());
            cursor = page.TryGetProperty("nextCursor", out var next) ? next.GetString() : null;
        } while (cursor is not null);
        Assert.Equal([16, 4], sizes);
    }

    [Fact]
    public async Task A_waiting_caller_gets_the_answer_at_once_and_it_stays()
    {
        var (run, token, request) = await _asking.WaitingAsync();
        var waiting = Enumerable
            .Range(0, 50)
            .Select(i =>
                _server.GetAsync($"/api/v1/executions/{run}/approval-status?wait=55", i % 2 == 0 ? token : null)
            )
            .ToList();
        await using var stream = await _server.StreamAsync($"/api/v1/runs/{run}/events");
        while ((await stream.NextAsync())!.Json.GetProperty("type").GetString() != "approval_requested") { }
        await _asking.DecideAsync(request, "approved", "go");
        var decided = (await stream.NextAsync())!.Json;
        Assert.Equal(
            ("approval_decided", "approved"),
            (decided.GetProperty("type").GetString(), decided.GetProperty("detail").GetProperty("decision").GetString())
        );
        var answers = await Task.WhenAll(waiting).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.All(
            answers,
            a => Assert.Equal((200, "approved", "go"), (a.Status, a.String("status"), a.String("feedback")))
        );
        Assert.Equal(
            "approved",
            (await _server.GetAsync($"/api/v1/executions/{run}/approval-status?wait=1")).String("status")
        );
        foreach (var bad in (string[])["0", "56", "x", ""])
            Assert.Equal(400, (await _server.GetAsync($"/api/v1/executions/{run}/approval-status?wait={bad}")).Status);

        // Nobody decides. After its time the question is still open, and nothing is left over.
        var (other, _, _) = await _asking.WaitingAsync();
        Assert.Equal(
            "pending",
            (await _server.GetAsync($"/api/v1/executions/{other}/approval-status?wait=1")).String("status")
        );
    }

    [Fact]
    public async Task A_turn_without_an_answer_is_ended_by_the_server()
    {
        await using var receiver = await Receiver.StartAsync();
        var (run, token, _) = await _asking.RunningAsync();
        var request = (
            await _asking.AskAsync(
                run,
                token,
                new { expires_in_hours = 2, callback_url = receiver.Origin + "/decided" }
            )
        ).String("approval_request_id");
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/hook",
            _server.RootKey,
            new { url = receiver.Origin + "/events", events = new[] { "approval.*" } }
        );
        // However many are due at once, all are ended.
        for (var i = 0; i < 450; i++)
            await _asking.WaitingAsync(new { expires_in_hours = 2 });
        // It waits for less than a minute, however long the others take.
        var waiting = _server.GetAsync($"/api/v1/executions/{run}/approval-status?wait=55");
        await WaitFor.TrueAsync(() => Task.FromResult(_server.HeldRequests == 1), TimeSpan.FromSeconds(30));
        _server.Clock.Advance(TimeSpan.FromHours(2));
        Assert.Equal("expired", (await waiting).String("status"));
        await WaitFor.TrueAsync(
            async () =>
                await _server.Database.ReadAsync(tx =>
                    tx.FirstAsync("SELECT COUNT(*) FROM approval WHERE status = 'pending'", r => r.GetInt64(0))
                ) == 0,
            TimeSpan.FromSeconds(60)
        );
        Assert.Equal(
            ("cancelled", "The approval expired."),
            (
                (await _asking.RunAsync(run)).GetProperty("phase").GetString(),
                (await _asking.RunAsync(run)).GetProperty("reason").GetString()
            )
        );
        Assert.Equal("server", (await _server.GetAsync("/api/v1/approvals/" + request)).String("decided_by"));
        Assert.Equal(
            "expired",
            (await receiver.OfTypeAsync("approval.decided"))
                .Body.GetProperty("data")
                .GetProperty("decision")
                .GetString()
        );
        await WaitFor.TrueAsync(
            () =>
                Task.FromResult(
                    receiver.Taken.Any(t =>
                        t.Body.Contains("\"approval.expired\"", StringComparison.Ordinal)
                        && t.Body.Contains(request, StringComparison.Ordinal)
                    )
                ),
            TimeSpan.FromSeconds(30)
        );
        Assert.Equal(
            (410, "approval_expired"),
            (
                (await _asking.DecideAsync(request, "approved")).Status,
                (await _asking.DecideAsync(request, "approved")).String("error")
            )
        );
    }

    [Fact]
    public async Task A_decision_after_the_time_is_too_late_although_the_server_has_not_looked_yet()
    {
        for (var i = 0; i < 10; i++)
        {
            var (run, _, request) = await _asking.WaitingAsync(new { expires_in_hours = 1 });
            _server.Clock.Advance(TimeSpan.FromHours(1));
            var late = await _asking.DecideAsync(request, "approved");
            Assert.Equal((410, "approval_expired"), (late.Status, late.String("error")));
            Assert.Equal("cancelled", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
        }
    }

    [Fact]
    public async Task The_decision_is_signed_with_the_agents_secret_and_delivered_where_it_was_asked_for()
    {
        await using var receiver = await Receiver.StartAsync();
        var secret = "whsec_" + Convert.ToBase64String(new byte[32]);
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", _server.RootKey, new { kind = "pull", secret });
        var (run, token, _) = await _asking.RunningAsync();
        var request = (await _asking.AskAsync(run, token, new { callback_url = receiver.Origin + "/decided" })).String(
            "approval_request_id"
        );
        receiver.Answers = n => n == 1 ? (500, "") : (204, "");
        await _asking.SendAsync(
            JsonSerializer.Serialize(
                new
                {
                    requestId = request,
                    decision = "approved",
                    feedback = "ok",
                    response = new { n = 1.50m },
                }
            )
        );
        _server.Clock.Advance(TimeSpan.FromSeconds(10));
        await WaitFor.TrueAsync(() => Task.FromResult(receiver.Taken.Count == 2));
        var (headers, body, text) = await receiver.NextAsync(2);
        Assert.Equal(receiver.Taken.First().Headers["webhook-id"].ToString(), headers["webhook-id"].ToString());
        Assert.Equal(
            "v1,"
                + Convert.ToBase64String(
                    System.Security.Cryptography.HMACSHA256.HashData(
                        new byte[32],
                        System.Text.Encoding.UTF8.GetBytes(
                            $"{headers["webhook-id"]}.{headers["webhook-timestamp"]}.{text}"
                        )
                    )
                ),
            headers["webhook-signature"].ToString()
        );
        Assert.Equal(["type", "timestamp", "data"], body.EnumerateObject().Select(m => m.Name));
        Assert.Equal(
            $$$"""{"execution_id":"{{{run}}}","approval_request_id":"{{{request}}}","""
                + "\"round\":1,"
                + """ "decision":"approved","feedback":"ok","response":{"n":1.50}}""".TrimStart(),
            body.GetProperty("data").GetRawText()
        );
        await WaitFor.TrueAsync(async () =>
            (await _asking.EventsAsync(run)).Any(e =>
                e.GetProperty("type").GetString() == "approval_callback"
                && e.GetProperty("outcome").GetString() == "accepted"
            )
        );
        Assert.Equal(
            2,
            (await _asking.EventsAsync(run)).Count(e => e.GetProperty("type").GetString() == "approval_callback")
        );
    }

    [Fact]
    public async Task An_answer_that_is_too_large_is_delivered_thin()
    {
        await using var receiver = await Receiver.StartAsync();
        var (run, token, _) = await _asking.RunningAsync();
        var request = (await _asking.AskAsync(run, token, new { callback_url = receiver.Origin + "/decided" })).String(
            "approval_request_id"
        );
        Assert.Equal(
            200,
            (
                await _asking.SendAsync(
                    JsonSerializer.Serialize(
                        new
                        {
                            requestId = request,
                            decision = "approved",
                            response = new string('x', 400_000),
                        }
                    )
                )
            ).Status
        );
        var told = (await receiver.OfTypeAsync("approval.decided")).Body.GetProperty("data");
        Assert.True(told.GetProperty("thin").GetBoolean());
        Assert.Equal(
            400_002,
            (await _server.GetAsync(new Uri(told.GetProperty("url").GetString()!).PathAndQuery, token))
                .Json.GetProperty("response")
                .GetRawText()
                .Length
        );
    }

    [Fact]
    public async Task An_id_stays_used_when_its_run_is_gone()
    {
        await using var server = await TestServer.StartAsync(set: o => o.Retention.RunDays = 1);
        var asking = await Asking.PrepareAsync(server);
        var (run, token, _) = await asking.RunningAsync();
        await asking.AskAsync(
            run,
            token,
            new
            {
                approval_request_id = "once",
                title = "secret plans",
                payload = "secret plans",
            }
        );
        await asking.DecideAsync("once", "rejected");
        server.Clock.Advance(TimeSpan.FromDays(2));
        await Sweeps.OfAllLoopsAsync(server);
        Assert.Equal(404, (await server.GetAsync("/api/v1/runs/" + run)).Status);
        Assert.Equal(404, (await server.GetAsync("/api/v1/approvals/once")).Status);
        Assert.Equal(404, (await asking.DecideAsync("once", "rejected")).Status);
        Assert.Equal(
            0,
            await server.Database.ReadAsync(tx =>
                tx.FirstAsync(
                    "SELECT COUNT(*) FROM approval WHERE title IS NOT NULL OR payload IS NOT NULL",
                    r => r.GetInt64(0)
                )
            )
        );
        var (other, otherToken, _) = await asking.RunningAsync();
        Assert.Equal(
            "approval_request_id_used",
            (
                await server.PostAsync(
                    $"/api/v1/executions/{other}/request-approval",
                    new { approval_request_id = "once" },
                    otherToken
                )
            ).String("error")
        );
    }
}
