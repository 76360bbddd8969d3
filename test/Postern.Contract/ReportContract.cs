using Postern.Support;

namespace Postern.Contract;

/// <summary>Reports under concurrency and faults, over HTTP, on both databases.</summary>
public sealed class ReportContract
{
    private static readonly string[] Tables =
    [
        "run",
        "run_event",
        "run_data",
        "run_attempt",
        "event",
        "delivery",
        "session",
        "record",
        "message",
    ];

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_fault_at_any_step_of_a_report_leaves_nothing(Backend backend)
    {
        FaultyDatabase faulty = null!;
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(
            backend,
            wrap: inner => faulty = new FaultyDatabase(inner)
        );
        var pipeline = await Pipeline.PutAsync(server);
        // Everything that a report can cause: artifacts, failure fields, an event, deliveries to a subscriber and to
        // the caller.
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/hook",
            server.RootKey,
            new { url = receiver.Origin + "/events", events = new[] { "*" } }
        );
        var job = (
            await server.PostAsync(
                "/api/v1/runs",
                new
                {
                    agent = "studio",
                    workflow = "media",
                    callback = new { url = receiver.Origin + "/done" },
                }
            )
        ).String("id");
        foreach (var step in pipeline.WayTo("AUDIO_EXTRACTING"))
            Assert.Equal(204, (await pipeline.ReportAsync(job, step)).Status);
        await server.SettledAsync();

        var body = pipeline.Body(
            "FAILED",
            ("artifact_updates", new { audio_uri = "s3://sound" }),
            ("failure_message", "It broke.")
        );
        var before = await server.DumpAsync(Tables);
        var steps = 0;
        while (true)
        {
            faulty.FailAt(++steps, job);
            var answer = await pipeline.SendAsync(job, body);
            if (answer.Status == 204)
                break;
            Assert.True(answer.Status == 503, answer.ToString());
            Assert.Equal(before, await server.DumpAsync(Tables));
        }
        Assert.True(steps > 8, $"{steps} steps were tried");
        faulty.FailAt(0, "");
        Assert.Equal(200, (await pipeline.SendAsync(job, body)).Status);
        await WaitFor.TrueAsync(() =>
            Task.FromResult(receiver.Taken.Count(t => t.Body.Contains("run.failed", StringComparison.Ordinal)) == 2)
        );
        Assert.Equal(
            "s3://sound",
            (await pipeline.ReadAsync(job)).GetProperty("artifacts").GetProperty("audio_uri").GetString()
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task One_of_64_identical_callbacks_applies_and_63_are_repeats(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var pipeline = await Pipeline.PutAsync(server);
        var job = await pipeline.JobAsync();
        var body = pipeline.Body("UPLOADING", ("artifact_updates", new { video_uri = "s3://v" }));
        var answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => pipeline.SendAsync(job, body)));
        Assert.Equal(1, answers.Count(a => a.Status == 204));
        Assert.Equal(63, answers.Count(a => a.Status == 200));
        Assert.Equal(1, (await pipeline.EventsAsync(job)).Count(e => e.GetProperty("type").GetString() == "report"));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Sixty_four_legal_callbacks_leave_a_path_of_the_state_machine(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var pipeline = await Pipeline.PutAsync(server);
        var job = await pipeline.JobInAsync("DRAFT_READY");
        string[] legal = ["EDITING", "REGENERATING", "EXPORTING", "DONE", "DRAFT_READY"];
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 64).Select(i => pipeline.ReportAsync(job, legal[i % legal.Length]))
        );
        Assert.All(answers, a => Assert.True(a.Status is 204 or 409, a.ToString()));
        var events = await pipeline.EventsAsync(job);
        Assert.Equal(Enumerable.Range(1, events.Count), events.Select(e => e.GetProperty("seq").GetInt32()));
        var accepted = events
            .Where(e =>
                e.GetProperty("type").GetString() == "report" && e.GetProperty("outcome").GetString() == "accepted"
            )
            .ToList();
        Assert.Equal(answers.Count(a => a.Status == 204) + pipeline.WayTo("DRAFT_READY").Count, accepted.Count);
        Assert.Equal(
            answers.Count(a => a.Status == 409),
            events.Count(e => e.GetProperty("outcome").GetString() == "refused")
        );
        var at = "CREATED";
        var last = "";
        foreach (var e in accepted)
        {
            Assert.Equal(at, e.GetProperty("from").GetString());
            Assert.True(pipeline.MayFollow(at, e.GetProperty("to").GetString()!));
            Assert.True(string.CompareOrdinal(e.GetProperty("occurredAt").GetString(), last) > 0, "the instants go up");
            (at, last) = (e.GetProperty("to").GetString()!, e.GetProperty("occurredAt").GetString()!);
        }
        Assert.Equal(at, (await pipeline.ReadAsync(job)).GetProperty("status").GetString());
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Sixty_four_requests_with_one_key_get_one_run_and_one_answer(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 64)
                .Select(_ =>
                    server.PostAsync(
                        "/api/v1/runs",
                        new { agent = "echo", input = "x" },
                        null,
                        ("Idempotency-Key", "once")
                    )
                )
        );
        Assert.All(answers, a => Assert.True(a.Status == 202, a.ToString()));
        Assert.Single(answers.Select(a => a.Text).Distinct());
        Assert.Equal(63, answers.Count(a => a.Header("Idempotency-Replayed") == "true"));
        Assert.Equal(
            1,
            await server.Database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM run", r => r.GetInt64(0)))
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Sixty_four_simultaneous_claims_give_each_run_to_one_worker(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        var made = await Task.WhenAll(
            Enumerable.Range(0, 100).Select(i => server.PostAsync("/api/v1/runs", new { agent = "p", input = i }))
        );
        var claimed = (
            await Task.WhenAll(
                Enumerable
                    .Range(0, 64)
                    .Select(async _ =>
                    {
                        var mine = new List<string>();
                        while (true)
                        {
                            var answer = await server.PostAsync(
                                "/api/v1/agents/p/claim",
                                new { max = 3, waitSeconds = 2 }
                            );
                            Assert.True(answer.Status == 200, answer.ToString());
                            var batch = answer
                                .Json.GetProperty("data")
                                .EnumerateArray()
                                .Select(d => d.GetProperty("run").GetProperty("id").GetString()!)
                                .ToList();
                            if (batch.Count == 0)
                                return mine;
                            mine.AddRange(batch);
                        }
                    })
            )
        ).SelectMany(c => c).ToList();
        Assert.Equal(
            made.Select(m => m.String("id")).Order(StringComparer.Ordinal),
            claimed.Order(StringComparer.Ordinal)
        );
        Assert.Equal(
            100,
            (await server.GetAsync("/api/v1/runs?phase=running&limit=200")).Json.GetProperty("data").GetArrayLength()
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Of_64_retries_and_64_cancels_one_wins(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        var id = (await server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
        await server.PostAsync($"/api/v1/runs/{id}/status", new { status = "failed", failure = new { code = "x" } });
        var retries = await Task.WhenAll(
            Enumerable
                .Range(0, 64)
                .Select(i =>
                    server.PostAsync(
                        $"/api/v1/runs/{id}/retry",
                        new { clientRequestId = i % 2 == 0 ? "same" : "r" + i }
                    )
                )
        );
        Assert.Equal(2, (await server.GetAsync("/api/v1/runs/" + id)).Json.GetProperty("attempt").GetInt32());
        Assert.All(retries, r => Assert.True(r.Status is 202 or 409, r.ToString()));
        var cancels = await Task.WhenAll(
            Enumerable.Range(0, 64).Select(_ => server.PostAsync($"/api/v1/runs/{id}/cancel", null))
        );
        Assert.All(cancels, c => Assert.Equal((200, "cancelled"), (c.Status, c.String("phase"))));
        var timeline = (await server.GetAsync($"/api/v1/runs/{id}/events?limit=500"))
            .Json.GetProperty("data")
            .EnumerateArray()
            .Select(e => e.GetProperty("type").GetString())
            .ToList();
        Assert.Equal((1, 1), (timeline.Count(t => t == "retried"), timeline.Count(t => t == "cancelled")));
    }
}
