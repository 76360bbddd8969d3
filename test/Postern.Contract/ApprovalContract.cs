using System.Text.Json;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Approvals under concurrency and faults, over HTTP, on both databases: one decision wins on any routes, and a
/// decision is stored completely or not at all.
/// </summary>
public sealed class ApprovalContract
{
    private static readonly string[] Tables =
    [
        "run",
        "run_event",
        "approval",
        "event",
        "delivery",
        "session",
        "record",
        "message",
        "capture",
        "audit",
    ];

    private static Task<Answer> PressAsync(TestServer server, string path, string decision) =>
        server.SendAsync(
            HttpMethod.Post,
            path,
            null,
            System.Text.Encoding.UTF8.GetBytes("decision=" + decision),
            ("Content-Type", "application/x-www-form-urlencoded")
        );

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task One_of_64_decisions_through_three_routes_wins_and_all_learn_which(Backend backend)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(backend);
        var asking = await Asking.PrepareAsync(server);
        var decider = await asking.DeciderAsync();
        for (var round = 0; round < 4; round++)
        {
            var (run, token, _) = await asking.RunningAsync();
            var asked = await asking.AskAsync(
                run,
                token,
                new { title = "Go?", callback_url = receiver.Origin + "/" + run }
            );
            var (request, path) = (
                asked.String("approval_request_id"),
                await asking.LinkAsync(asked.String("approval_request_id"))
            );
            var answers = await Task.WhenAll(
                Enumerable
                    .Range(0, 64)
                    .Select(async i =>
                    {
                        var decision = (i / 3) % 2 == 0 ? "approved" : "rejected";
                        var answer = (i % 3) switch
                        {
                            0 => await asking.DecideAsync(request, decision, "by " + i),
                            1 => await server.PostAsync(
                                $"/api/v1/executions/{run}/approval-response",
                                new { decision, reason = "by " + i },
                                decider
                            ),
                            _ => await PressAsync(server, path, decision),
                        };
                        return (Door: i % 3, Decision: decision, Answer: answer);
                    })
            );
            var won = (await asking.StatusAsync(run)).GetProperty("status").GetString()!;
            Assert.Contains(won, (string[])["approved", "rejected"]);
            foreach (var (door, decision, answer) in answers)
            {
                if (door == 2)
                    Assert.True(
                        answer.Status == (decision == won ? 200 : 409),
                        $"the page, {decision}: {answer.Status}"
                    );
                else if (decision == won)
                    Assert.True(
                        answer.Status == 200 && answer.String("status") is "processed" or "already_processed",
                        answer.ToString()
                    );
                else
                    Assert.True(
                        answer.Status == 409
                            && answer.String("error") == "decision_conflict"
                            && answer.String("approval_status") == won,
                        answer.ToString()
                    );
            }
            var processed = answers.Count(a =>
                a.Door != 2 && a.Answer.Status == 200 && a.Answer.String("status") == "processed"
            );
            var byLink = (await asking.StatusAsync(run)).GetProperty("decided_by").GetString() == "link";
            Assert.Equal(byLink ? 0 : 1, processed);
            Assert.Single(await asking.EventsAsync(run), e => e.GetProperty("type").GetString() == "approval_decided");
            Assert.Equal(
                won == "approved" ? "running" : "cancelled",
                (await asking.RunAsync(run)).GetProperty("phase").GetString()
            );
            await WaitFor.TrueAsync(async () =>
                (await asking.EventsAsync(run)).Any(e => e.GetProperty("type").GetString() == "approval_callback")
            );
            Assert.Single(receiver.Taken, t => t.Body.Contains(request, StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Sixty_four_simultaneous_requests_ask_one_question(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var asking = await Asking.PrepareAsync(server);
        var (run, token, _) = await asking.RunningAsync();
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 64)
                .Select(i =>
                    server.PostAsync(
                        $"/api/v1/executions/{run}/request-approval",
                        new { approval_request_id = "q-" + (i % 2) },
                        token
                    )
                )
        );
        var open = (await asking.StatusAsync(run)).GetProperty("approval_request_id").GetString();
        Assert.Equal(32, answers.Count(a => a.Status == 200 && a.String("approval_request_id") == open));
        Assert.Equal(
            32,
            answers.Count(a =>
                a.Status == 409
                && a.String("error") == "approval_already_requested"
                && a.String("approval_request_id") == open
            )
        );
        Assert.Equal(
            1,
            await server.Database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM approval", r => r.GetInt64(0)))
        );

        // One id, many runs.
        var runs = new List<(string Run, string Token, JsonElement)>();
        for (var i = 0; i < 16; i++)
            runs.Add(await asking.RunningAsync());
        var shared = await Task.WhenAll(
            runs.Select(r =>
                server.PostAsync(
                    $"/api/v1/executions/{r.Run}/request-approval",
                    new { approval_request_id = "shared" },
                    r.Token
                )
            )
        );
        Assert.Equal(1, shared.Count(a => a.Status == 200));
        Assert.Equal(15, shared.Count(a => a.Status == 409 && a.String("error") == "approval_request_id_used"));
        Assert.Equal(
            15,
            (await server.GetAsync("/api/v1/runs?phase=running&limit=100")).Json.GetProperty("data").GetArrayLength()
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_decision_and_the_clock_race_and_one_of_them_wins(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var asking = await Asking.PrepareAsync(server);
        var waiting = new List<(string Run, string Token, string Request)>();
        for (var i = 0; i < 32; i++)
            waiting.Add(await asking.WaitingAsync(new { expires_in_hours = 1 }));
        // The clock passes the end while decisions are under way.
        var decisions = waiting.Select(w => asking.DecideAsync(w.Request, "approved")).ToList();
        server.Clock.Advance(TimeSpan.FromHours(1));
        var answers = await Task.WhenAll(decisions);
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/approvals?status=pending")).Json.GetProperty("data").GetArrayLength() == 0
        );
        foreach (var (w, answer) in waiting.Zip(answers))
        {
            var status = (await asking.StatusAsync(w.Run)).GetProperty("status").GetString();
            Assert.True(
                answer.Status == 200
                    ? status == "approved"
                    : answer.Status == 410 && answer.String("error") == "approval_expired" && status == "expired",
                $"{answer} but {status}"
            );
            Assert.Equal(
                status == "approved" ? "running" : "cancelled",
                (await asking.RunAsync(w.Run)).GetProperty("phase").GetString()
            );
            Assert.Single(
                await asking.EventsAsync(w.Run),
                e => e.GetProperty("type").GetString() == "approval_decided"
            );
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_decision_and_a_cancel_race_and_both_know_the_outcome(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var asking = await Asking.PrepareAsync(server);
        var waiting = new List<(string Run, string Token, string Request)>();
        for (var i = 0; i < 32; i++)
            waiting.Add(await asking.WaitingAsync());
        var pairs = await Task.WhenAll(
            waiting.Select(
                async (w, i) =>
                {
                    var first = i % 2 == 0 ? asking.DecideAsync(w.Request, "approved") : null;
                    var cancel = server.PostAsync($"/api/v1/runs/{w.Run}/cancel", null);
                    return (Decision: await (first ?? asking.DecideAsync(w.Request, "approved")), Cancel: await cancel);
                }
            )
        );
        foreach (var (w, pair) in waiting.Zip(pairs))
        {
            // The cancel ends the run either way; the question is approved before, or closed by it.
            Assert.Equal(200, pair.Cancel.Status);
            Assert.Equal("cancelled", (await asking.RunAsync(w.Run)).GetProperty("phase").GetString());
            var status = (await asking.StatusAsync(w.Run)).GetProperty("status").GetString();
            Assert.True(
                pair.Decision.Status == 200
                    ? status == "approved"
                    : pair.Decision.Status == 410
                        && pair.Decision.String("error") == "approval_cancelled"
                        && status == "cancelled",
                $"{pair.Decision} but {status}"
            );
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_fault_at_any_step_of_asking_or_deciding_leaves_nothing(Backend backend)
    {
        FaultyDatabase faulty = null!;
        await using var agent = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(
            backend,
            wrap: inner => faulty = new FaultyDatabase(inner)
        );
        var asking = await Asking.PrepareAsync(server);
        // Everything that a decision can cause: a session with an open turn, a notified agent, a subscriber, a capture.
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/called",
            server.RootKey,
            new { kind = "http", url = agent.Url }
        );
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/hook",
            server.RootKey,
            new { url = agent.Origin + "/events", events = new[] { "approval.*" } }
        );
        await server.PostAsync("/api/triggers/user/u/t", new { agent = "called", promptTemplate = "{{body}}" });
        foreach (var decision in (string[])["approved", "rejected"])
        {
            var before = agent.Taken.Count(t => t.Body.Contains("run.dispatched", StringComparison.Ordinal));
            await server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, "{}", ("Idempotency-Key", decision));
            await WaitFor.TrueAsync(() =>
                Task.FromResult(
                    agent.Taken.Count(t => t.Body.Contains("run.dispatched", StringComparison.Ordinal)) > before
                )
            );
            var data = JsonSerializer
                .Deserialize<JsonElement>(
                    agent.Taken.Last(t => t.Body.Contains("run.dispatched", StringComparison.Ordinal)).Body
                )
                .GetProperty("data");
            var (run, token) = (
                data.GetProperty("run").GetProperty("id").GetString()!,
                data.GetProperty("token").GetString()!
            );
            await server.SettledAsync();

            var asked = await EachStepAsync(
                run,
                () =>
                    server.PostAsync(
                        $"/api/v1/executions/{run}/request-approval",
                        new { title = "Go?", approval_request_id = "ask-" + decision },
                        token
                    ),
                200
            );
            Assert.True(asked > 8, $"asking took {asked} steps");
            await server.SettledAsync();
            var decided = await EachStepAsync(
                "ask-" + decision,
                () => asking.DecideAsync("ask-" + decision, decision, "so be it"),
                200
            );
            Assert.True(decided > 10, $"deciding took {decided} steps");
            await WaitFor.TrueAsync(() =>
                Task.FromResult(
                    agent.Taken.Count(t =>
                        t.Body.Contains("\"approval.decided\"", StringComparison.Ordinal)
                        && t.Body.Contains("ask-" + decision, StringComparison.Ordinal)
                    ) == 2
                )
            );
            Assert.Equal("already_processed", (await asking.DecideAsync("ask-" + decision, decision)).String("status"));
        }

        async Task<int> EachStepAsync(string marker, Func<Task<Answer>> act, int done)
        {
            var before = await server.DumpAsync(Tables);
            for (var step = 1; ; step++)
            {
                faulty.FailAt(step, marker);
                var answer = await act();
                if (answer.Status == done)
                {
                    faulty.FailAt(0, "");
                    return step;
                }
                Assert.True(answer.Status == 503, answer.ToString());
                Assert.Equal(before, await server.DumpAsync(Tables));
            }
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task The_routes_work_on_both_databases(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var asking = await Asking.PrepareAsync(server);
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/approval-services/other",
            server.RootKey,
            new
            {
                secrets = new[] { "x, a secret of 24 characters" },
                schemes = new[] { "standard" },
                require_timestamp = true,
                agents = new[] { "p" },
            }
        );
        Assert.Equal(2, (await server.GetAsync("/api/v1/approval-services")).Json.GetProperty("data").GetArrayLength());
        Assert.Equal(
            204,
            (await server.SendAsync(HttpMethod.Delete, "/api/v1/approval-services/other", server.RootKey)).Status
        );
        Assert.Equal(
            201,
            (
                await server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/approval-services/other",
                    server.RootKey,
                    new { secrets = new[] { "y, a secret of 24 characters" } }
                )
            ).Status
        );
        var (run, token, request) = await asking.WaitingAsync(
            new
            {
                title = "é \ud83c\udf0d",
                payload = new { a = "\u0001" },
                options = new[] { "x" },
                expires_in_hours = 0.001,
            }
        );
        Assert.Equal(
            1,
            (
                await server.GetAsync(
                    $"/api/v1/approvals?status=pending&agent=p&run={run}&service=default"
                        + "&requested=2020-01-01..2100-01-01&limit=1"
                )
            )
                .Json.GetProperty("data")
                .GetArrayLength()
        );
        Assert.Equal(
            "{\"a\":\"\\u0001\"}",
            (await server.GetAsync("/api/v1/approvals/" + request)).Json.GetProperty("payload").GetRawText()
        );
        // Half a character is no text; a long reason could be cut between the two halves.
        var (cut, _, wordy) = await asking.WaitingAsync();
        Assert.Equal(
            200,
            (
                await asking.DecideAsync(
                    wordy,
                    "rejected",
                    new string('x', 999) + "\ud83c\udf0d" + new string('y', 60_000)
                )
            ).Status
        );
        Assert.EndsWith("x…", (await asking.RunAsync(cut)).GetProperty("reason").GetString(), StringComparison.Ordinal);
        // It expires by the clock of the database, within five seconds of its time.
        var answer = await server.GetAsync($"/api/v1/executions/{run}/approval-status?wait=20", token);
        Assert.Equal("expired", answer.String("status"));
        Assert.InRange(
            (
                DateTimeOffset.Parse(answer.String("responded_at"), System.Globalization.CultureInfo.InvariantCulture)
                - DateTimeOffset.Parse(answer.String("expires_at"), System.Globalization.CultureInfo.InvariantCulture)
            ).TotalSeconds,
            0,
            5
        );
    }
}
