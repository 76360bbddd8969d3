using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Runs;

/// <summary>The native routes of runs.</summary>
public sealed class RunTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private Receiver _agent = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _agent = await Receiver.StartAsync();
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/called",
            _server.RootKey,
            new { kind = "http", url = _agent.Url }
        );
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/worker", _server.RootKey, new { kind = "pull" });
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _agent.DisposeAsync();
    }

    private async Task<JsonElement> RunAsync(string id) => (await _server.GetAsync("/api/v1/runs/" + id)).Json;

    private async Task<string> MakeAsync(object body)
    {
        var made = await _server.PostAsync("/api/v1/runs", body);
        Assert.True(made.Status == 202, made.ToString());
        return made.String("id");
    }

    private async Task<List<JsonElement>> EventsAsync(string id) =>
        [.. (await _server.GetAsync($"/api/v1/runs/{id}/events")).Json.GetProperty("data").EnumerateArray()];

    [Fact]
    public async Task A_run_of_the_echo_agent_ends_with_its_input_and_wait_answers_at_once()
    {
        var made = await _server.PostAsync(
            "/api/v1/runs",
            "{\"agent\":\"echo\",\"input\":{\"a\":[1,  2.50]},\"tags\":[\"x\"],\"metadata\":{\"m\":1}}"
        );
        Assert.Equal(
            (202, "queued", "/api/v1/runs/" + made.String("id")),
            (made.Status, made.String("phase"), made.Header("Location"))
        );
        var done = await _server.GetAsync($"/api/v1/runs/{made.String("id")}?wait=20");
        Assert.Equal("succeeded", done.String("status"));
        Assert.Contains("\"output\":{\"a\":[1,  2.50]}", done.Text, StringComparison.Ordinal);
        Assert.Equal(
            304,
            (
                await _server.GetAsync(
                    "/api/v1/runs/" + made.String("id"),
                    null,
                    ("If-None-Match", done.Header("ETag")!)
                )
            ).Status
        );
        Assert.Equal(
            ["created", "taken_on", "report"],
            (await EventsAsync(made.String("id"))).Select(e => e.GetProperty("type").GetString())
        );
    }

    [Theory]
    [InlineData("succeeded")]
    [InlineData("waiting")]
    public async Task A_worker_may_report_before_its_answer_to_the_dispatch_a_key_may_not(string status)
    {
        var reported = new TaskCompletionSource();
        _agent.Handle = async http =>
        {
            await reported.Task;
            http.Response.StatusCode = 202;
        };
        var id = await MakeAsync(new { agent = "called", input = 1 });
        var (_, body, _) = await _agent.OfTypeAsync("run.dispatched");
        Assert.Equal(
            (409, "queued"),
            (
                (await _server.PostAsync($"/api/v1/runs/{id}/status", new { status })).Status,
                (await RunAsync(id)).GetProperty("status").GetString()
            )
        );
        var report = await _server.PostAsync(
            $"/api/v1/runs/{id}/status",
            new { status },
            body.GetProperty("data").GetProperty("token").GetString()
        );
        Assert.True(report.Status == 200, report.ToString());
        reported.SetResult();
        await WaitFor.TrueAsync(async () =>
            (await EventsAsync(id)).Any(e => e.GetProperty("type").GetString() == "dispatch")
        );
        Assert.Equal(status, (await RunAsync(id)).GetProperty("status").GetString());
        Assert.Equal(
            ["created", "report", "taken_on", "report", "dispatch"],
            (await EventsAsync(id)).Select(e => e.GetProperty("type").GetString())
        );
    }

    [Fact]
    public async Task An_http_agent_is_given_the_run_and_reports_by_its_token_or_by_the_callback()
    {
        var id = await MakeAsync(new { agent = "called", input = new { n = 1 } });
        var (_, body, _) = await _agent.OfTypeAsync("run.dispatched");
        var data = body.GetProperty("data");
        Assert.Equal(
            (id, 1, 1, "queued"),
            (
                data.GetProperty("run").GetProperty("id").GetString(),
                data.GetProperty("run").GetProperty("attempt").GetInt32(),
                data.GetProperty("run").GetProperty("input").GetProperty("n").GetInt32(),
                data.GetProperty("run").GetProperty("status").GetString()
            )
        );
        await WaitFor.TrueAsync(async () => (await RunAsync(id)).GetProperty("phase").GetString() == "running");

        var token = data.GetProperty("token").GetString();
        var progress = await _server.PostAsync(
            $"/api/v1/runs/{id}/status",
            new { status = "running", progress = 0.25 },
            token
        );
        Assert.Equal((200, 0.25m), (progress.Status, progress.Json.GetProperty("progress").GetDecimal()));
        foreach (var (method, path) in new[] { ("POST", "cancel"), ("POST", "retry"), ("POST", "pause") })
            Assert.Equal(
                401,
                (
                    await _server.SendAsync(
                        new HttpMethod(method),
                        $"/api/v1/runs/{id}/{path}",
                        token,
                        path == "retry" ? new { clientRequestId = "x" } : null
                    )
                ).Status
            );
        Assert.Equal(401, (await _server.PostAsync("/api/v1/runs", new { agent = "echo" }, token)).Status);

        var url = new Uri(data.GetProperty("callback").GetProperty("url").GetString()!).AbsolutePath;
        var headers = data.GetProperty("callback")
            .GetProperty("headers")
            .EnumerateObject()
            .Select(h => (h.Name, h.Value.GetString()!))
            .ToArray();
        var other = await MakeAsync(new { agent = "called" });
        Assert.Equal(
            401,
            (
                await _server.SendAsync(
                    HttpMethod.Post,
                    url.Replace(id, other, StringComparison.Ordinal),
                    null,
                    new { status = "succeeded" },
                    [headers[0]]
                )
            ).Status
        );
        Assert.Equal(
            404,
            (
                await _server.SendAsync(
                    HttpMethod.Post,
                    url.Replace(id, other, StringComparison.Ordinal),
                    null,
                    new { status = "succeeded" },
                    headers
                )
            ).Status
        );
        var done = await _server.SendAsync(
            HttpMethod.Post,
            url,
            null,
            new
            {
                status = "succeeded",
                output = "the end",
                eventId = "e1",
            },
            headers
        );
        Assert.Equal((200, "succeeded", "the end"), (done.Status, done.String("phase"), done.String("output")));
        var again = await _server.SendAsync(
            HttpMethod.Post,
            url,
            null,
            new
            {
                status = "succeeded",
                output = "the end",
                eventId = "e1",
            },
            headers
        );
        Assert.Equal((200, "true"), (again.Status, again.Header("Idempotency-Replayed")));
        var mismatch = await _server.SendAsync(
            HttpMethod.Post,
            url,
            null,
            new
            {
                status = "succeeded",
                output = "another",
                eventId = "e1",
            },
            headers
        );
        Assert.Equal((409, "EVENT_ID_PAYLOAD_MISMATCH"), (mismatch.Status, mismatch.String("code")));
        var late = await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "running" }, token);
        Assert.Equal((409, "FSM_TERMINAL_IMMUTABLE"), (late.Status, late.String("code")));
    }

    [Fact]
    public async Task A_refused_dispatch_fails_its_run_at_once_with_the_agents_answer()
    {
        _agent.Answers = _ => (401, "{\"error\":\"the key is wrong\"}");
        var id = await MakeAsync(new { agent = "called" });
        var run = (await _server.GetAsync($"/api/v1/runs/{id}?wait=20")).Json;
        Assert.Equal(
            ("failed", "dispatch_failed"),
            (run.GetProperty("phase").GetString(), run.GetProperty("failure").GetProperty("code").GetString())
        );
        Assert.Contains("answered 401", run.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains("the key is wrong", run.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains(
            await EventsAsync(id),
            e => e.GetProperty("type").GetString() == "dispatch" && e.GetProperty("outcome").GetString() == "refused"
        );
        var dead = (await _server.GetAsync("/api/v1/deliveries?status=dead&subject=" + id)).Json.GetProperty("data")[0];
        Assert.Equal(
            ("dispatch", "agent:called"),
            (dead.GetProperty("purpose").GetString(), dead.GetProperty("endpoint").GetString())
        );
        var retry = await _server.PostAsync($"/api/v1/deliveries/{dead.GetProperty("id").GetString()}/retry", null);
        Assert.Equal((409, "not_retryable"), (retry.Status, retry.String("code")));

        _agent.Answers = _ => (200, "{\"status\":\"succeeded\",\"output\":{\"n\":2}}");
        Assert.Equal(
            202,
            (
                await _server.PostAsync($"/api/v1/runs/{id}/retry", new { clientRequestId = "1", profile = "careful" })
            ).Status
        );
        run = (await _server.GetAsync($"/api/v1/runs/{id}?wait=20")).Json;
        Assert.Equal(
            ("succeeded", 2, 2),
            (
                run.GetProperty("phase").GetString(),
                run.GetProperty("attempt").GetInt32(),
                run.GetProperty("output").GetProperty("n").GetInt32()
            )
        );
        Assert.Contains("\"profile\":\"careful\"", _agent.Taken.Last().Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_caller_that_started_a_run_is_called_back_signed_with_the_shown_secret()
    {
        await using var caller = await Receiver.StartAsync();
        caller.Answers = _ => (401, "no such hook");
        var made = await _server.PostAsync(
            "/api/v1/runs",
            new
            {
                agent = "echo",
                input = "hello",
                callback = new { url = caller.Url },
            },
            null,
            ("Idempotency-Key", "k")
        );
        var secret = made.Json.GetProperty("callback").GetProperty("secret").GetString()!;
        var replay = await _server.PostAsync(
            "/api/v1/runs",
            new
            {
                agent = "echo",
                input = "hello",
                callback = new { url = caller.Url },
            },
            null,
            ("Idempotency-Key", "k")
        );
        Assert.Equal((202, "true"), (replay.Status, replay.Header("Idempotency-Replayed")));
        Assert.DoesNotContain(secret, replay.Text, StringComparison.Ordinal);
        var (headers, body, text) = await caller.OfTypeAsync("run.succeeded");
        Assert.Equal("hello", body.GetProperty("data").GetProperty("run").GetProperty("output").GetString());
        Assert.Equal(
            Postern.Deliveries.DeliverySender.Sign(
                [secret],
                headers["webhook-id"].ToString(),
                long.Parse(headers["webhook-timestamp"].ToString()),
                System.Text.Encoding.UTF8.GetBytes(text)
            ),
            headers["webhook-signature"].ToString()
        );
        // It was refused with 401, and that is visible on the run, in its timeline and among the dead letters.
        await WaitFor.TrueAsync(async () =>
            (await RunAsync(made.String("id"))).GetProperty("callback").GetProperty("outcome").GetString()
            == "failed: answered 401: no such hook"
        );
        Assert.Contains(
            await EventsAsync(made.String("id")),
            e => e.GetProperty("type").GetString() == "callback" && e.GetProperty("outcome").GetString() == "refused"
        );
        var dead = (await _server.GetAsync("/api/v1/deliveries?status=dead&purpose=callback")).Json.GetProperty("data")[
            0
        ];
        caller.Answers = _ => (200, "");
        await _server.PostAsync($"/api/v1/deliveries/{dead.GetProperty("id").GetString()}/retry", null);
        await WaitFor.TrueAsync(async () =>
            (await RunAsync(made.String("id"))).GetProperty("callback").GetProperty("outcome").GetString()
            == "delivered"
        );
        Assert.Equal(headers["webhook-id"], caller.Taken.Last().Headers["webhook-id"]);
    }

    [Fact]
    public async Task An_idempotency_key_is_for_one_content()
    {
        var first = await _server.PostAsync(
            "/api/v1/runs",
            new
            {
                agent = "echo",
                input = 1,
                idempotencyKey = "k",
            }
        );
        Assert.Equal(
            first.Text,
            (
                await _server.PostAsync(
                    "/api/v1/runs",
                    "{ \"input\":1.0, \"idempotencyKey\":\"k\", \"agent\":\"echo\"}"
                )
            ).Text
        );
        var other = await _server.PostAsync(
            "/api/v1/runs",
            new
            {
                agent = "echo",
                input = 2,
                idempotencyKey = "k",
            }
        );
        Assert.Equal((422, "idempotency_key_reused"), (other.Status, other.String("code")));
        // A refused request does not use up its key.
        Assert.Equal(
            422,
            (await _server.PostAsync("/api/v1/runs", new { agent = "nobody", idempotencyKey = "free" })).Status
        );
        Assert.Equal(
            202,
            (await _server.PostAsync("/api/v1/runs", new { agent = "echo", idempotencyKey = "free" })).Status
        );
        Assert.Equal(
            400,
            (
                await _server.PostAsync(
                    "/api/v1/runs",
                    new { agent = "echo", idempotencyKey = "a" },
                    null,
                    ("Idempotency-Key", "b")
                )
            ).Status
        );
    }

    [Theory]
    [InlineData("{}", "agent is required")]
    [InlineData("{\"agent\":\"echo\",\"tags\":[1]}", "tags[0]")]
    [InlineData("{\"agent\":\"echo\",\"deadlineSeconds\":0}", "deadlineSeconds must be")]
    [InlineData(
        "{\"agent\":\"echo\",\"callback\":{\"url\":\"http://169.254.169.254/\",\"secret\":\"x\"}}",
        "callback.secret must be whsec_; callback.url must not lead"
    )]
    [InlineData("{\"agent\":\"echo\",\"surprise\":1}", "surprise is not a known field")]
    [InlineData("{\"agent\":\"echo\",\"start\":\"yes\"}", "start must be true or false")]
    public async Task A_start_at_fault_names_its_fields_and_writes_nothing(string body, string says)
    {
        var rows = await _server.CountRowsAsync();
        var answer = await _server.PostAsync("/api/v1/runs", body);
        Assert.Equal(400, answer.Status);
        foreach (var part in says.Split("; "))
            Assert.Contains(part, answer.String("detail"), StringComparison.Ordinal);
        Assert.Equal(rows, await _server.CountRowsAsync());
    }

    [Fact]
    public async Task A_run_is_cancelled_paused_and_resumed_and_its_agent_is_told()
    {
        var id = await MakeAsync(new { agent = "called" });
        await WaitFor.TrueAsync(async () => (await RunAsync(id)).GetProperty("phase").GetString() == "running");
        Assert.Equal("paused", (await _server.PostAsync($"/api/v1/runs/{id}/pause", null)).String("phase"));
        Assert.Equal(200, (await _server.PostAsync($"/api/v1/runs/{id}/pause", null)).Status);
        await _agent.OfTypeAsync("run.paused");
        Assert.Equal("running", (await _server.PostAsync($"/api/v1/runs/{id}/resume", null)).String("phase"));
        await _agent.OfTypeAsync("run.resumed");
        var cancelled = await _server.PostAsync($"/api/v1/runs/{id}/cancel", new { reason = "enough" });
        Assert.Equal(("cancelled", "enough"), (cancelled.String("phase"), cancelled.String("reason")));
        var (_, notice, _) = await _agent.OfTypeAsync("run.cancelled");
        Assert.Equal("enough", notice.GetProperty("data").GetProperty("run").GetProperty("reason").GetString());
        Assert.Equal(200, (await _server.PostAsync($"/api/v1/runs/{id}/cancel", null)).Status);
        var succeeded = await MakeAsync(new { agent = "echo" });
        await _server.GetAsync($"/api/v1/runs/{succeeded}?wait=20");
        Assert.Equal(
            (409, "run_ended"),
            (
                (await _server.PostAsync($"/api/v1/runs/{succeeded}/cancel", null)).Status,
                (await _server.PostAsync($"/api/v1/runs/{succeeded}/cancel", null)).String("code")
            )
        );
        Assert.Equal(
            "not_pausable",
            (await _server.PostAsync($"/api/v1/runs/{await MakeAsync(new { agent = "worker" })}/pause", null)).String(
                "code"
            )
        );
    }

    [Fact]
    public async Task A_retry_begins_at_the_best_proven_checkpoint_once_for_one_request()
    {
        var pipeline = await Pipeline.PutAsync(_server);
        var bare = await pipeline.JobInAsync("FAILED");
        Assert.Equal((409, "no_checkpoint"), await RetryAsync(bare, "a"));
        var job = await pipeline.JobAsync();
        await pipeline.ReportAsync(job, "UPLOADED", ("artifact_updates", new { video_uri = "v" }));
        await pipeline.ReportAsync(job, "AUDIO_EXTRACTING");
        Assert.Equal((409, "not_retryable"), await RetryAsync(job, "early"));
        await pipeline.ReportAsync(job, "AUDIO_READY", ("artifact_updates", new { audio_uri = "a" }));
        await pipeline.ReportAsync(job, "FAILED");
        var retried = await _server.PostAsync($"/api/v1/runs/{job}/retry", new { clientRequestId = "r1" });
        Assert.Equal(
            (202, "AUDIO_READY", 2),
            (retried.Status, retried.String("status"), retried.Json.GetProperty("attempt").GetInt32())
        );
        Assert.Equal(
            2,
            (await _server.PostAsync($"/api/v1/runs/{job}/retry", new { clientRequestId = "r1" }))
                .Json.GetProperty("attempt")
                .GetInt32()
        );
        Assert.Equal((409, "client_request_reused"), await RetryAsync(job, "r1", "other"));
        await pipeline.ReportAsync(job, "TRANSCRIBING");
        await pipeline.ReportAsync(job, "FAILED");
        Assert.Equal(
            3,
            (await _server.PostAsync($"/api/v1/runs/{job}/retry", new { clientRequestId = "r2" }))
                .Json.GetProperty("attempt")
                .GetInt32()
        );
        Assert.Equal(2, (await RunAsync(job)).GetProperty("attempts").GetArrayLength());

        async Task<(int, string)> RetryAsync(string id, string request, string? profile = null)
        {
            var answer = await _server.PostAsync(
                $"/api/v1/runs/{id}/retry",
                new { clientRequestId = request, profile }
            );
            return (answer.Status, answer.String("code"));
        }
    }

    [Fact]
    public async Task The_timeline_is_followed_live_and_resumed()
    {
        var id = await MakeAsync(new { agent = "worker" });
        await using (var stream = await _server.StreamAsync($"/api/v1/runs/{id}/events"))
        {
            Assert.Equal("created", (await stream.NextAsync())!.Json.GetProperty("type").GetString());
            await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "running" });
            var report = (await stream.NextAsync())!;
            Assert.Equal(
                ("2", "queued", "running", "accepted"),
                (
                    report.Id,
                    report.Json.GetProperty("from").GetString(),
                    report.Json.GetProperty("to").GetString(),
                    report.Json.GetProperty("outcome").GetString()
                )
            );
        }
        await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "queued" });
        await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "failed", failure = new { code = "x" } });
        await using var resumed = await _server.StreamAsync($"/api/v1/runs/{id}/events", null, ("Last-Event-ID", "2"));
        Assert.Equal("refused", (await resumed.NextAsync())!.Json.GetProperty("outcome").GetString());
        Assert.Equal("failed", (await resumed.NextAsync())!.Json.GetProperty("to").GetString());
        Assert.Equal(
            ("end", "run_ended"),
            (await resumed.NextAsync() is { } end ? (end.Name, end.Json.GetProperty("reason").GetString()) : default)
        );
        var page = await _server.GetAsync($"/api/v1/runs/{id}/events?limit=2");
        var rest = await _server.GetAsync($"/api/v1/runs/{id}/events?limit=2&cursor={page.String("nextCursor")}");
        Assert.Equal(
            [3, 4],
            rest.Json.GetProperty("data").EnumerateArray().Select(e => e.GetProperty("seq").GetInt32())
        );
    }

    [Fact]
    public async Task Runs_are_listed_by_filters_and_pages()
    {
        for (var i = 0; i < 5; i++)
            await MakeAsync(new { agent = "worker", tags = new[] { "t" + i, "100%_\"~" } });
        await MakeAsync(new { agent = "echo", tags = new[] { "t10" } });
        Assert.Equal(5, await CountAsync("agent=worker"));
        Assert.Equal(1, await CountAsync("tag=t1"));
        Assert.Equal(5, await CountAsync("tag=" + Uri.EscapeDataString("100%_\"~")));
        Assert.Equal(2, await CountAsync("tag=t1,t2"));
        Assert.Equal(5, await CountAsync("phase=queued&agent=worker"));
        Assert.Equal(0, await CountAsync("created=..2020-01-01"));
        Assert.Equal(6, await CountAsync("created=2020-01-01.."));
        Assert.Equal(400, (await _server.GetAsync("/api/v1/runs?phase=asleep")).Status);
        Assert.Equal(400, (await _server.GetAsync("/api/v1/runs?created=yesterday")).Status);
        // Two variables that are not set would otherwise mean everything.
        Assert.Equal(400, (await _server.GetAsync("/api/v1/runs?created=..")).Status);

        async Task<int> CountAsync(string filter)
        {
            var (count, cursor) = (0, "");
            while (true)
            {
                var page = await _server.GetAsync($"/api/v1/runs?{filter}&limit=2{cursor}");
                Assert.True(page.Status == 200, page.ToString());
                count += page.Json.GetProperty("data").GetArrayLength();
                if (!page.Json.TryGetProperty("nextCursor", out var next))
                    return count;
                cursor = "&cursor=" + next.GetString();
            }
        }
    }

    [Fact]
    public async Task A_token_for_one_run_reads_it_and_no_other_and_never_the_list()
    {
        var (mine, other) = (await MakeAsync(new { agent = "worker" }), await MakeAsync(new { agent = "worker" }));
        var token = await _server.TokenAsync("read:runs:" + mine);
        Assert.Equal(200, (await _server.GetAsync("/api/v1/runs/" + mine, token)).Status);
        Assert.Equal(404, (await _server.GetAsync("/api/v1/runs/" + other, token)).Status);
        Assert.Equal(
            (await _server.GetAsync("/api/v1/runs/run_nobody", token)).Text,
            (await _server.GetAsync("/api/v1/runs/" + other, token)).Text
        );
        Assert.Equal(403, (await _server.GetAsync("/api/v1/runs", token)).Status);
        Assert.Equal(403, (await _server.PostAsync($"/api/v1/runs/{mine}/cancel", null, token)).Status);
        Assert.Equal(404, (await _server.PostAsync($"/api/v1/runs/{other}/cancel", null, token)).Status);
    }

    [Fact]
    public async Task A_run_in_a_session_is_its_next_turn_and_its_reports_end_the_turn()
    {
        await _server.StartSessionAsync("s", agent: "called");
        // Its first run has nothing to do, becomes idle, and ends. Then the session is free for a run with its own
        // input.
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/runs?agent=called&phase=running"))
                .Json.GetProperty("data")
                .GetArrayLength() == 1
        );
        Assert.Equal((409, "session_busy"), await StartAsync("s"));
        _server.Clock.Advance(TimeSpan.FromSeconds(31));
        await WaitFor.TrueAsync(async () => (await StartAsync("s")).Item1 == 202);
        var (_, body, _) = await _agent.OfTypeAsync("run.dispatched");
        var data = body.GetProperty("data");
        var id = data.GetProperty("run").GetProperty("id").GetString();
        Assert.Equal(
            ("with", "called"),
            (
                data.GetProperty("run").GetProperty("input").GetProperty("job").GetString(),
                data.GetProperty("session").GetProperty("key").GetString()!.Split(':')[1]
            )
        );
        await using var stream = await _server.StreamAsync("/realtime/v1/sessions/s/out");
        Assert.Equal(
            "succeeded",
            (
                await _server.PostAsync(
                    $"/api/v1/runs/{id}/status",
                    new { status = "succeeded", output = 1 },
                    data.GetProperty("token").GetString()
                )
            ).String("phase")
        );
        Assert.NotEmpty(await stream.RecordsAsync(r => r.Any(EventReader.IsTurnComplete)));

        // A message gets a run. A reported failure ends its turn with the message of the failure.
        await _server.SayAsync("s", "go on");
        await WaitFor.TrueAsync(() =>
            Task.FromResult(_agent.Taken.Count(t => t.Body.Contains("run.dispatched", StringComparison.Ordinal)) == 2)
        );
        var second = JsonSerializer
            .Deserialize<JsonElement>(
                _agent.Taken.Last(t => t.Body.Contains("run.dispatched", StringComparison.Ordinal)).Body
            )
            .GetProperty("data");
        await _server.PostAsync(
            $"/api/v1/runs/{second.GetProperty("run").GetProperty("id").GetString()}/status",
            new { status = "failed", failure = new { code = "x", message = "It went wrong." } }
        );
        Assert.Contains(
            "It went wrong.",
            string.Concat(
                (await stream.RecordsAsync(r => r.Any(EventReader.IsTurnComplete))).Select(r => r.GetRawText())
            ),
            StringComparison.Ordinal
        );
        Assert.Equal((422, "unknown_session"), await StartAsync("nobody"));
        Assert.Equal(
            (409, "session_run"),
            await ActAsync(
                second.GetProperty("run").GetProperty("id").GetString()!,
                "retry",
                new { clientRequestId = "x" }
            )
        );

        async Task<(int, string)> StartAsync(string session)
        {
            var answer = await _server.PostAsync(
                "/api/v1/runs",
                new
                {
                    agent = "called",
                    sessionId = session,
                    input = new { job = "with" },
                }
            );
            return (answer.Status, answer.Status == 202 ? "" : answer.String("code"));
        }

        async Task<(int, string)> ActAsync(string run, string action, object request)
        {
            var answer = await _server.PostAsync($"/api/v1/runs/{run}/{action}", request);
            return (answer.Status, answer.String("code"));
        }
    }

    [Fact]
    public async Task A_sessions_run_is_paused_with_its_turns_clock_and_goes_on()
    {
        await _server.StartSessionAsync("s", agent: "called");
        await _server.SayAsync("s", "hello");
        var (_, body, _) = await _agent.OfTypeAsync("run.dispatched");
        var id = body.GetProperty("data").GetProperty("run").GetProperty("id").GetString();
        Assert.Equal("paused", (await _server.PostAsync($"/api/v1/runs/{id}/pause", null)).String("phase"));
        _server.Clock.Advance(TimeSpan.FromMinutes(30));
        Assert.Equal("paused", (await _server.GetAsync($"/api/v1/runs/{id}?wait=3")).String("phase"));
        Assert.Equal("running", (await _server.PostAsync($"/api/v1/runs/{id}/resume", null)).String("phase"));
        Assert.Equal(
            200,
            (
                await _server.PostAsync(
                    "/realtime/v1/sessions/s/out/records",
                    "{\"records\":[{\"headers\":{\"trigger-control\":\"turn-complete\"}}]}",
                    body.GetProperty("data").GetProperty("token").GetString()
                )
            ).Status
        );
    }

    [Fact]
    public async Task A_run_that_is_not_started_waits_to_be()
    {
        var id = await MakeAsync(
            new
            {
                agent = "echo",
                start = false,
                input = 1,
            }
        );
        Assert.Equal("queued", (await _server.GetAsync($"/api/v1/runs/{id}?wait=1")).String("phase"));
        Assert.Equal(200, (await _server.PostAsync($"/api/v1/runs/{id}/start", null)).Status);
        Assert.Equal("succeeded", (await _server.GetAsync($"/api/v1/runs/{id}?wait=20")).String("phase"));
        Assert.Equal(409, (await _server.PostAsync($"/api/v1/runs/{id}/start", null)).Status);
    }

    [Theory]
    [InlineData(0, "queued", "No agent took the run on in time.")]
    [InlineData(1, "running", "The worker neither reported nor sent a heartbeat in time.")]
    [InlineData(2, "running", "The run outlived its time.")]
    [InlineData(3, "AUDIO_EXTRACTING", "stayed in AUDIO_EXTRACTING")]
    public async Task An_overdue_run_is_ended_with_the_reason(int kind, string state, string reason)
    {
        string id;
        if (kind == 3)
        {
            var definition = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(
                await File.ReadAllTextAsync(Repository.File("samples/workflows/media-pipeline.json"))
            )!;
            var pipeline = await Pipeline.PutAsync(_server);
            definition["deadlines"] = JsonSerializer.SerializeToElement(new { AUDIO_EXTRACTING = 60 });
            await _server.SendAsync(HttpMethod.Put, "/api/v1/workflows/media", _server.RootKey, definition);
            id = await pipeline.JobInAsync(state);
        }
        else
        {
            id = await MakeAsync(new { agent = "worker", deadlineSeconds = kind == 2 ? 120 : 86_400 });
            if (kind > 0)
                await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "running" });
        }
        Assert.Equal(state, (await RunAsync(id)).GetProperty("status").GetString());
        _server.Clock.Advance(
            TimeSpan.FromSeconds(
                kind switch
                {
                    0 => 3601,
                    1 => 901,
                    2 => 121,
                    _ => 61,
                }
            )
        );
        var watch = System.Diagnostics.Stopwatch.StartNew();
        await WaitFor.TrueAsync(async () => (await RunAsync(id)).GetProperty("phase").GetString() == "timed_out");
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), "within 5 s of the time");
        var run = await RunAsync(id);
        Assert.Contains(reason, run.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal(kind == 3 ? "FAILED" : "timed_out", run.GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_heartbeat_keeps_a_run_alive()
    {
        var id = await MakeAsync(new { agent = "worker" });
        await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "running" });
        for (var i = 0; i < 3; i++)
        {
            _server.Clock.Advance(TimeSpan.FromSeconds(800));
            Assert.Equal("running", (await _server.PostAsync($"/api/v1/runs/{id}/heartbeat", null)).String("phase"));
        }
        Assert.Equal(
            "STALE_ATTEMPT",
            (await _server.PostAsync($"/api/v1/runs/{id}/heartbeat", new { attempt = 2 })).String("code")
        );
    }
}
