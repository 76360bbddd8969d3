using System.Text.Json;
using Postern.Runs;
using Postern.Support;

namespace Postern.Tests.Approvals;

/// <summary>
/// A run that waits for a person leaves that state only by the answer or by its own end. Every door that changes a run
/// is tried.
/// </summary>
public sealed class WaitingTests : ApprovalTest
{
    private Receiver _agent = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _agent = await Receiver.StartAsync();
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/called",
            _server.RootKey,
            new { kind = "http", url = _agent.Url }
        );
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _agent.DisposeAsync();
    }

    private static (string, string)[] Headers(JsonElement callback) =>
        [.. callback.GetProperty("headers").EnumerateObject().Select(h => (h.Name, h.Value.GetString()!))];

    private async Task StillWaitsAsync(string run)
    {
        var now = await _asking.RunAsync(run);
        Assert.Equal(
            ("waiting", "pending"),
            (now.GetProperty("phase").GetString(), (await _asking.StatusAsync(run)).GetProperty("status").GetString())
        );
    }

    [Fact]
    public async Task No_report_on_any_route_moves_a_waiting_run()
    {
        var (run, token, claimed) = await _asking.RunningAsync();
        await _asking.AskAsync(run, token);
        var callback = Headers(claimed.GetProperty("callback"));
        var secret = (await _server.PostAsync("/api/v1/callback-secrets", null)).String("secret");
        foreach (var status in (string[])["running", "succeeded", "waiting", "paused", "timed_out", "queued"])
        {
            foreach (
                var (credential, headers) in new (string?, (string, string)[])[]
                {
                    (token, []),
                    (_server.RootKey, []),
                    ("", callback),
                }
            )
            {
                var refused = await _server.PostAsync(
                    $"/api/v1/runs/{run}/status",
                    new { status, output = "done" },
                    credential,
                    headers
                );
                Assert.True(
                    refused.Status == 409 && refused.String("code") == "FSM_TRANSITION_INVALID",
                    $"{status}: {refused}"
                );
                Assert.Equal(
                    ["cancelled", "failed"],
                    refused
                        .Json.GetProperty("details")
                        .GetProperty("allowed_next_statuses")
                        .EnumerateArray()
                        .Select(s => s.GetString()!)
                );
            }
            var orchestrator = await _server.SendAsync(
                HttpMethod.Post,
                $"/internal/jobs/{run}/status",
                null,
                new
                {
                    event_id = "e-" + status,
                    status,
                    occurred_at = DateTimeOffset.UtcNow.ToString("O"),
                    correlation_id = "c",
                },
                ("X-Callback-Secret", secret)
            );
            Assert.True(
                orchestrator.Status == 409 && orchestrator.String("code") == "FSM_TRANSITION_INVALID",
                orchestrator.ToString()
            );
        }
        var execution = await _server.SendAsync(
            HttpMethod.Post,
            "/api/callbacks/execution",
            null,
            new
            {
                sessionId = "s",
                cloudAgentSessionId = "s",
                status = "completed",
                lastAssistantMessageText = "done",
            },
            callback
        );
        Assert.Equal(
            (409, "{\"success\":false,\"error\":\"Run is waiting for an approval\"}"),
            (execution.Status, execution.Text)
        );
        foreach (var act in (string[])["start", "pause", "resume", "retry"])
            await _server.PostAsync($"/api/v1/runs/{run}/{act}", act == "retry" ? new { clientRequestId = "x" } : null);
        Assert.Equal(
            (409, "awaiting_approval"),
            (
                (await _server.PostAsync($"/api/v1/runs/{run}/pause", null)).Status,
                (await _server.PostAsync($"/api/v1/runs/{run}/pause", null)).String("code")
            )
        );
        Assert.Equal(200, (await _server.PostAsync($"/api/v1/runs/{run}/heartbeat", null, token)).Status);
        Assert.Equal(
            0,
            (await _server.PostAsync("/api/v1/agents/p/claim", null)).Json.GetProperty("data").GetArrayLength()
        );
        await StillWaitsAsync(run);
        // The timeline shows what was refused, with the code of the refusal.
        Assert.True(
            (await _asking.EventsAsync(run)).Count(e => e.GetProperty("outcome").GetString() == "refused") >= 25
        );
        Assert.Equal(JsonValueKind.Null, (await _asking.RunAsync(run)).GetProperty("output").ValueKind);
    }

    [Fact]
    public async Task Its_worker_may_say_that_it_failed_and_the_question_is_closed()
    {
        foreach (var status in (string[])["failed", "cancelled"])
        {
            var (run, token, request) = await _asking.WaitingAsync();
            Assert.Equal(
                200,
                (
                    await _server.PostAsync(
                        $"/api/v1/runs/{run}/status",
                        new { status, failure = new { code = "broken" } },
                        token
                    )
                ).Status
            );
            Assert.Equal("cancelled", (await _asking.StatusAsync(run)).GetProperty("status").GetString());
            var late = await _asking.DecideAsync(request, "approved");
            Assert.Equal((410, "{\"error\":\"approval_cancelled\"}"), (late.Status, late.Text));
            Assert.Equal(status, (await _asking.RunAsync(run)).GetProperty("phase").GetString());
            Assert.Equal(JsonValueKind.Null, (await _asking.RunAsync(run)).GetProperty("approvalRequestId").ValueKind);
        }
    }

    [Fact]
    public async Task Cancelling_the_run_closes_its_question_and_tells_who_wanted_to_know()
    {
        var (run, _, request) = await _asking.WaitingAsync(
            new { callback_url = _agent.Origin + "/decided", title = "Go?" }
        );
        Assert.Equal(
            "cancelled",
            (await _server.PostAsync($"/api/v1/runs/{run}/cancel", new { reason = "enough" })).String("phase")
        );
        var told = (await _agent.OfTypeAsync("approval.decided")).Body.GetProperty("data");
        Assert.Equal(
            (request, "cancelled"),
            (told.GetProperty("approval_request_id").GetString(), told.GetProperty("decision").GetString())
        );
        Assert.Equal(
            (410, "approval_cancelled"),
            (
                (await _asking.DecideAsync(request, "approved")).Status,
                (await _asking.DecideAsync(request, "approved")).String("error")
            )
        );
        Assert.Equal(409, (await _server.PostAsync($"/api/v1/executions/{run}/request-approval", new { })).Status);
    }

    [Fact]
    public async Task A_run_has_its_decision_sent_to_its_agents_own_origin_alone()
    {
        await using var elsewhere = await Receiver.StartAsync();
        await _server.PostAsync("/api/v1/runs", new { agent = "called" });
        var dispatch = (await _agent.OfTypeAsync("run.dispatched")).Body.GetProperty("data");
        var run = dispatch.GetProperty("run").GetProperty("id").GetString()!;
        var token = dispatch.GetProperty("token").GetString()!;
        var door = $"/api/v1/executions/{run}/request-approval";
        var port = new Uri(_agent.Origin).Port;
        foreach (
            var url in (string[])
                [elsewhere.Url, $"http://localhost:{port}/x", $"https://127.0.0.1:{port}/x", _agent.Origin + "0/x"]
        )
        {
            var refused = await _server.PostAsync(door, new { callback_url = url }, token);
            Assert.True(
                refused.Status == 400 && refused.String("error") == "invalid_callback_url",
                $"{url}: {refused}"
            );
        }
        var own = _agent.Origin + "/decided?by=ada";
        var request = (await _asking.AskAsync(run, token, new { callback_url = own })).String("approval_request_id");
        await _asking.DecideAsync(request, "request_changes");
        var told = (await _agent.OfTypeAsync("approval.decided")).Body.GetProperty("data");
        Assert.Equal(request, told.GetProperty("approval_request_id").GetString());

        // A key belongs to the operator of the agents, so it may name another address.
        var second = await _server.PostAsync(door, new { callback_url = elsewhere.Url });
        Assert.Equal(200, second.Status);
        await _asking.DecideAsync(second.String("approval_request_id"), "request_changes");
        var there = (await elsewhere.OfTypeAsync("approval.decided")).Body.GetProperty("data");
        Assert.Equal(second.String("approval_request_id"), there.GetProperty("approval_request_id").GetString());
    }

    [Fact]
    public async Task Removing_its_agent_closes_its_question()
    {
        var (run, _, request) = await _asking.WaitingAsync();
        Assert.Equal(
            204,
            (await _server.SendAsync(HttpMethod.Delete, "/api/v1/agents/p?force=1", _server.RootKey)).Status
        );
        Assert.Equal("failed", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
        Assert.Equal(410, (await _asking.DecideAsync(request, "approved")).Status);
    }

    [Fact]
    public async Task A_run_of_another_workflow_waits_in_its_state_and_goes_on_from_there()
    {
        var pipeline = await Pipeline.PutAsync(_server);
        var job = await pipeline.JobInAsync("GENERATING");
        var request = (
            await _server.PostAsync($"/api/v1/executions/{job}/request-approval", new { title = "Generate?" })
        ).String("approval_request_id");
        var waiting = await pipeline.ReadAsync(job);
        Assert.Equal(
            ("GENERATING", "waiting"),
            (waiting.GetProperty("status").GetString(), waiting.GetProperty("phase").GetString())
        );
        foreach (var state in pipeline.States.Where(s => s is not ("FAILED" or "CANCELLED")))
            Assert.Equal(409, (await pipeline.ReportAsync(job, state)).Status);
        Assert.Equal("waiting", (await pipeline.ReadAsync(job)).GetProperty("phase").GetString());
        Assert.Equal("GENERATING", (await _asking.DecideAsync(request, "approved")).String("new_status"));
        Assert.Equal("running", (await pipeline.ReadAsync(job)).GetProperty("phase").GetString());
        Assert.Equal(204, (await pipeline.ReportAsync(job, "DRAFT_READY")).Status);
        // In a state that is not running nothing can be asked. A refusal ends the run in the state of its workflow.
        Assert.Equal(
            "execution is in 'DRAFT_READY' state; must be 'running' to request approval",
            (await _server.PostAsync($"/api/v1/executions/{job}/request-approval", new { })).String("message")
        );
        var second = await pipeline.JobInAsync("TRANSCRIBING");
        var asked = (await _server.PostAsync($"/api/v1/executions/{second}/request-approval", new { })).String(
            "approval_request_id"
        );
        Assert.Equal("CANCELLED", (await _asking.DecideAsync(asked, "rejected")).String("new_status"));
    }

    [Fact]
    public async Task A_turn_does_not_end_before_the_answer_and_the_conversation_shows_it()
    {
        await _server.StartSessionAsync("s", agent: "called");
        await _server.SayAsync("s", "delete everything");
        var data = (await _agent.OfTypeAsync("run.dispatched")).Body.GetProperty("data");
        var (run, token) = (
            data.GetProperty("run").GetProperty("id").GetString()!,
            data.GetProperty("token").GetString()!
        );
        await WaitFor.TrueAsync(async () =>
            (await _asking.EventsAsync(run)).Any(e => e.GetProperty("type").GetString() == "dispatch")
        );
        var request = (await _asking.AskAsync(run, token, new { title = "Delete everything" })).String(
            "approval_request_id"
        );

        var end = new
        {
            records = new object[]
            {
                new { headers = new Dictionary<string, string> { ["trigger-control"] = "turn-complete" } },
            },
        };
        foreach (var credential in new[] { token, _server.RootKey })
        {
            var refused = await _server.PostAsync("/realtime/v1/sessions/s/out/records", end, credential);
            Assert.True(refused.Status == 409 && refused.String("code") == "awaiting_approval", refused.ToString());
        }
        // And the turn is not given to a new run, which would not have to wait.
        var swap = await _server.PostAsync(
            "/api/v1/sessions/s/end-and-continue",
            new { callingRunId = run, reason = "upgrade" }
        );
        Assert.True(swap.Status == 409 && swap.String("code") == "awaiting_approval", swap.ToString());
        await StillWaitsAsync(run);
        // Its output is received meanwhile. The turn's time stands still, and new input waits.
        Assert.Equal(
            200,
            (
                await _server.PostAsync(
                    "/realtime/v1/sessions/s/out/records",
                    new
                    {
                        records = new[]
                        {
                            new
                            {
                                data = new
                                {
                                    type = "text-delta",
                                    id = "0",
                                    delta = "I have asked.",
                                },
                            },
                        },
                    },
                    token
                )
            ).Status
        );
        await _server.SayAsync("s", "hello?");
        _server.Clock.Advance(TimeSpan.FromHours(48));
        var overdue = (await _server.PostAsync("/api/v1/runs", new { agent = "p", deadlineSeconds = 1 })).String("id");
        _server.Clock.Advance(TimeSpan.FromSeconds(2));
        await WaitFor.TrueAsync(async () =>
            (await _asking.RunAsync(overdue)).GetProperty("phase").GetString() == "timed_out"
        );
        await StillWaitsAsync(run);

        Assert.Equal(
            "running",
            (await _asking.DecideAsync(request, "approve", "but keep the logs")).String("new_status")
        );
        var told = (await _agent.OfTypeAsync("approval.decided")).Body.GetProperty("data");
        Assert.Equal(
            (run, request, 1, "approved", "but keep the logs"),
            (
                told.GetProperty("execution_id").GetString(),
                told.GetProperty("approval_request_id").GetString(),
                told.GetProperty("round").GetInt32(),
                told.GetProperty("decision").GetString(),
                told.GetProperty("feedback").GetString()
            )
        );
        Assert.Equal(200, (await _server.PostAsync("/realtime/v1/sessions/s/out/records", end, token)).Status);
        var transcript = (await _server.GetAsync("/api/v1/sessions/s/transcript"))
            .Json.GetProperty("messages")
            .EnumerateArray()
            .ToList();
        var note = transcript.Single(m => m.GetProperty("role").GetString() == "system");
        Assert.Equal(
            "“Delete everything” was approved: but keep the logs",
            note.GetProperty("content")[0].GetProperty("text").GetString()
        );
        Assert.Equal(
            ("approval", request, "approved"),
            (
                note.GetProperty("content")[1].GetProperty("type").GetString(),
                note.GetProperty("content")[1].GetProperty("approvalRequestId").GetString(),
                note.GetProperty("content")[1].GetProperty("decision").GetString()
            )
        );
        Assert.Contains("I have asked.", transcript[^1].GetRawText(), StringComparison.Ordinal);
        Assert.Contains("was approved", (await _server.GetAsync("/sessions/s/history")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_ends_the_turn_and_the_session_goes_on()
    {
        await _server.StartSessionAsync("s", agent: "called");
        await _server.SayAsync("s", "delete everything");
        var data = (await _agent.OfTypeAsync("run.dispatched")).Body.GetProperty("data");
        var run = data.GetProperty("run").GetProperty("id").GetString()!;
        await WaitFor.TrueAsync(async () =>
            (await _asking.RunAsync(run)).GetProperty("phase").GetString() == "running"
        );
        var request = (await _asking.AskAsync(run, data.GetProperty("token").GetString()!)).String(
            "approval_request_id"
        );
        Assert.Equal("cancelled", (await _asking.DecideAsync(request, "deny", "no")).String("new_status"));
        await using var stream = await _server.StreamAsync("/realtime/v1/sessions/s/out");
        Assert.Contains(
            "The approval was rejected: no",
            string.Concat(
                (await stream.RecordsAsync(r => r.Any(EventReader.IsTurnComplete))).Select(r => r.GetRawText())
            ),
            StringComparison.Ordinal
        );
        await _agent.OfTypeAsync("run.cancelled");
        await _server.SayAsync("s", "again");
        await WaitFor.TrueAsync(() =>
            Task.FromResult(_agent.Taken.Count(t => t.Body.Contains("run.dispatched", StringComparison.Ordinal)) == 2)
        );
    }

    [Fact]
    public async Task Between_turns_a_run_that_waits_outlives_its_idle_window()
    {
        await _server.StartSessionAsync("s");
        await _server.SayAsync("s", "hello");
        string run = "";
        await WaitFor.TrueAsync(async () =>
            (
                run = (
                    await _server.GetAsync(
                        "/api/v1/runs?session=" + (await _server.GetAsync("/api/v1/sessions/s")).String("id")
                    )
                )
                    .Json.GetProperty("data")[0]
                    .GetProperty("id")
                    .GetString()!
            ).Length > 0
            && await _server.Database.ReadAsync(tx =>
                tx.FirstAsync("SELECT 1 FROM run WHERE id = $1 AND idle_until IS NOT NULL", r => r.GetInt64(0), run)
            ) == 1
        );
        var request = (await _server.PostAsync($"/api/v1/executions/{run}/request-approval", new { })).String(
            "approval_request_id"
        );
        var project = await _server.ProjectAsync();
        // As a dispatcher may find it at this moment: nothing is left to do.
        await _server.Database.WriteAsync(async tx => await RunDue.ReturnToIdleAsync(tx, project, run));
        _server.Clock.Advance(TimeSpan.FromMinutes(10));
        var overdue = (await _server.PostAsync("/api/v1/runs", new { agent = "p", deadlineSeconds = 1 })).String("id");
        _server.Clock.Advance(TimeSpan.FromSeconds(2));
        await WaitFor.TrueAsync(async () =>
            (await _asking.RunAsync(overdue)).GetProperty("phase").GetString() == "timed_out"
        );
        await StillWaitsAsync(run);
        // Messages that came meanwhile are answered when it continues. Without them the idle window begins again.
        await _server.SayAsync("s", "are you there?");
        await _asking.DecideAsync(request, "approved");
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/sessions/s/transcript")).Text.Split("are you there?").Length == 3
        );
    }

    [Fact]
    public async Task A_session_that_is_closed_around_the_question_cancels_it_even_by_its_own_run()
    {
        await _server.StartSessionAsync("s", agent: "called");
        await _server.SayAsync("s", "x");
        var data = (await _agent.OfTypeAsync("run.dispatched")).Body.GetProperty("data");
        var (run, token) = (
            data.GetProperty("run").GetProperty("id").GetString()!,
            data.GetProperty("token").GetString()!
        );
        await WaitFor.TrueAsync(async () =>
            (await _asking.RunAsync(run)).GetProperty("phase").GetString() == "running"
        );
        var request = (await _asking.AskAsync(run, token)).String("approval_request_id");
        await _server.PostAsync("/api/v1/sessions/s/close", new { callingRunId = run });
        await _server.PostAsync("/api/v1/sessions/s/close", new { });
        Assert.Equal("cancelled", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
        Assert.Equal(
            (410, "approval_cancelled"),
            (
                (await _asking.DecideAsync(request, "approved")).Status,
                (await _asking.DecideAsync(request, "approved")).String("error")
            )
        );
    }

    [Fact]
    public async Task An_agent_that_asks_and_then_says_that_it_is_done_is_not_believed()
    {
        _agent.Handle = async http =>
        {
            var body = JsonSerializer.Deserialize<JsonElement>(_agent.Taken.Last().Body);
            if (body.GetProperty("type").GetString() == "run.dispatched")
            {
                var data = body.GetProperty("data");
                await _server.PostAsync(
                    $"/api/v1/executions/{data.GetProperty("run").GetProperty("id").GetString()}/request-approval",
                    new { title = "t" },
                    data.GetProperty("token").GetString()
                );
            }
            http.Response.ContentType = "application/json";
            await http.Response.Body.WriteAsync("{\"status\":\"succeeded\",\"output\":\"done\"}"u8.ToArray());
        };
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "called" })).String("id");
        await WaitFor.TrueAsync(async () =>
            (await _asking.EventsAsync(run)).Any(e => e.GetProperty("outcome").GetString() == "refused")
        );
        await StillWaitsAsync(run);
    }

    [Fact]
    public async Task A_captured_request_waits_with_its_run()
    {
        await _server.PostAsync("/api/triggers/user/u/t", new { agent = "called", promptTemplate = "{{body}}" });
        await _server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, "{}");
        var data = (await _agent.OfTypeAsync("run.dispatched")).Body.GetProperty("data");
        var run = data.GetProperty("run").GetProperty("id").GetString()!;
        await WaitFor.TrueAsync(async () =>
            (await _asking.RunAsync(run)).GetProperty("phase").GetString() == "running"
        );
        var request = (await _asking.AskAsync(run, data.GetProperty("token").GetString()!)).String(
            "approval_request_id"
        );
        var session = data.GetProperty("session").GetProperty("id").GetString();
        var done = await _server.SendAsync(
            HttpMethod.Post,
            "/api/callbacks/execution",
            null,
            new
            {
                sessionId = session,
                cloudAgentSessionId = session,
                status = "completed",
                lastAssistantMessageText = "done",
            },
            Headers(data.GetProperty("callback"))
        );
        Assert.Equal(
            (409, "{\"success\":false,\"error\":\"Run is waiting for an approval\"}"),
            (done.Status, done.Text)
        );
        Assert.Contains(await _asking.EventsAsync(run), e => e.GetProperty("outcome").GetString() == "refused");
        await StillWaitsAsync(run);
        await _asking.DecideAsync(request, "approved");
        Assert.Equal(
            200,
            (
                await _server.SendAsync(
                    HttpMethod.Post,
                    "/api/callbacks/execution",
                    null,
                    new
                    {
                        sessionId = session,
                        cloudAgentSessionId = session,
                        status = "completed",
                        lastAssistantMessageText = "done",
                    },
                    Headers(data.GetProperty("callback"))
                )
            ).Status
        );
        Assert.Equal("succeeded", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
    }
}
