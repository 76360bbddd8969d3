using Microsoft.Extensions.DependencyInjection;
using Postern.Bulk;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Bulk actions on both databases: exactly the previewed things are changed, once, whatever happens on the way.
/// </summary>
public sealed class BulkContract
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Cancels_what_the_preview_found_and_nothing_else(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        var old = await RunsAsync(server, 7);
        var filter = new { agent = "idle", phase = new[] { "queued", "running" } };
        var preview = (await server.PreviewAsync("runs.cancel", filter)).Json;
        Assert.Equal(
            (7, false),
            (preview.GetProperty("matched").GetInt64(), preview.GetProperty("capped").GetBoolean())
        );
        Assert.Equal(old.Reverse().Take(5), preview.GetProperty("sample").EnumerateArray().Select(r => r.GetString()!));
        var mark = preview.GetProperty("mark").GetString();
        var later = await RunsAsync(server, 2);
        // One has changed by itself.
        await server.PostAsync($"/api/v1/runs/{old[3]}/cancel", new { reason = "mine" });

        async Task<Answer> StartAsync(object which, string? key = null, string action = "runs.cancel") =>
            await server.PostAsync(
                "/api/v1/bulk",
                new
                {
                    action,
                    filter = which,
                    mark,
                    reason = "loop",
                },
                key
            );
        // A mark is valid for the previewed request only, and opens nothing.
        Assert.Equal("wrong_mark", (await StartAsync(new { agent = "idle" })).String("code"));
        Assert.Equal("wrong_mark", (await StartAsync(filter, action: "runs.retry")).String("code"));
        Assert.Equal(403, (await StartAsync(filter, await server.KeyAsync("write:deliveries"))).Status);
        var started = await StartAsync(filter);
        Assert.Equal((202, 7), (started.Status, started.Json.GetProperty("matched").GetInt64()));
        var id = started.String("id");
        // The same start again returns the same job, even after its end.
        Assert.Equal(id, (await StartAsync(filter)).String("id"));
        var job = await server.EndedBulkAsync(id);
        Assert.Equal(id, (await StartAsync(filter)).String("id"));
        Assert.Equal((7, 6, 1, 0), BulkCalls.Numbers(job));
        var reason = job.GetProperty("reasons")[0];
        Assert.Equal(
            ("no_longer_matches", 1, old[3]),
            (
                reason.GetProperty("code").GetString(),
                reason.GetProperty("count").GetInt64(),
                reason.GetProperty("item").GetString()
            )
        );
        foreach (var run in old)
            Assert.Equal("cancelled", await PhaseAsync(server, run));
        foreach (var run in later)
            Assert.Equal("queued", await PhaseAsync(server, run));
        // It has the same effects as single actions: the reason, the actor, an audit row each.
        var events = (await server.GetAsync($"/api/v1/runs/{old[0]}/events")).Text;
        Assert.Contains("loop", (await server.GetAsync("/api/v1/runs/" + old[0])).Text, StringComparison.Ordinal);
        Assert.Contains("\"credential\":\"key\"", events, StringComparison.Ordinal);
        var audit = (await server.GetAsync("/api/v1/audit?limit=200")).Json.GetProperty("data").EnumerateArray();
        Assert.Equal(
            6,
            audit.Count(a => a.GetProperty("reason").GetString()?.EndsWith(id, StringComparison.Ordinal) == true)
        );
        Assert.Contains(id, (await server.GetAsync("/api/v1/bulk")).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Retries_runs_and_says_of_each_that_it_leaves_why(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var asking = await Asking.PrepareAsync(server);
        var failed = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var (run, _, _) = await asking.RunningAsync();
            var failure = new { code = "broken" };
            await server.PostAsync($"/api/v1/runs/{run}/status", new { status = "failed", failure });
            failed.Add(run);
        }
        await server.StartSessionAsync("s", agent: "p");
        var session = (await server.GetAsync("/api/v1/sessions/s")).String("id");
        var ofSession = (await server.GetAsync("/api/v1/runs?session=" + session)).Json.GetProperty("data")[0];
        await server.PostAsync(
            $"/api/v1/runs/{ofSession.GetProperty("id").GetString()}/status",
            new { status = "failed", failure = new { code = "broken" } }
        );
        var job = await server.EndedBulkAsync(
            await server.StartBulkAsync("runs.retry", new { agent = "p", failureCode = "broken" })
        );
        Assert.Equal((4, 3, 1, 0), BulkCalls.Numbers(job));
        Assert.Equal("session_run", job.GetProperty("reasons")[0].GetProperty("code").GetString());
        foreach (var run in failed)
            Assert.Equal(
                ("queued", 2),
                (await PhaseAsync(server, run), (await asking.RunAsync(run)).GetProperty("attempt").GetInt64())
            );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Closes_sessions(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        for (var i = 0; i < 4; i++)
            await server.StartSessionAsync("s" + i);
        await server.PostAsync("/api/v1/sessions/s3/close", new { });
        var job = await server.EndedBulkAsync(
            await server.StartBulkAsync("sessions.close", new { agent = "echo" }, "spring cleaning")
        );
        Assert.Equal((4, 3, 1, 0), BulkCalls.Numbers(job));
        Assert.Equal("session_closed", job.GetProperty("reasons")[0].GetProperty("code").GetString());
        Assert.Contains(
            "spring cleaning",
            (await server.GetAsync("/api/v1/sessions/s0")).Text,
            StringComparison.Ordinal
        );
        // Only an administrator may see a session of the server's own.
        await server.StartSessionAsync("open", agent: "echo");
        var (_, key) = await server.NamedKeyAsync("closer", "admin:sessions");
        var mine = await server.PreviewAsync("sessions.close", new { status = "ACTIVE" }, key);
        Assert.Equal(1, mine.Json.GetProperty("matched").GetInt64());
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Sends_dead_deliveries_again_under_their_ids_and_counts_what_arrives(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = _ => (404, "nobody");
        await DeadLetters.OneAsync(server, receiver.Url);
        for (var i = 0; i < 11; i++)
            await server.PostAsync("/api/v1/runs", new { agent = "echo", start = false });
        await WaitFor.TrueAsync(async () => (await DeadAsync(server)).Count == 12);
        var dead = await DeadAsync(server);
        receiver.Answers = _ => (200, "");
        var before = receiver.Taken.Count;
        var filter = new
        {
            endpoint = "orders",
            status = "dead",
            answer = "404",
        };
        var job = await server.StartBulkAsync("deliveries.retry", filter);
        await WaitFor.TrueAsync(async () => (await server.BulkAsync(job)).GetProperty("arrived").GetInt64() == 12);
        Assert.Equal((12, 12, 0, 0), BulkCalls.Numbers(await server.BulkAsync(job)));
        Assert.Equal(
            dead.Order(StringComparer.Ordinal),
            receiver.Taken.Skip(before).Select(t => t.Headers["webhook-id"].ToString()).Order(StringComparer.Ordinal)
        );
        Assert.Empty(await DeadAsync(server));
        Assert.Equal(0, (await server.PreviewAsync("deliveries.retry", filter)).Json.GetProperty("matched").GetInt64());
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Gives_up_pending_deliveries(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = _ => (503, "later");
        var endpoint = new { url = receiver.Url, events = new[] { "run.created" } };
        await server.SendAsync(HttpMethod.Put, "/api/v1/webhook-endpoints/orders", server.RootKey, endpoint);
        for (var i = 0; i < 5; i++)
            await server.PostAsync("/api/v1/runs", new { agent = "echo", start = false });
        var filter = new { endpoint = "orders", status = "pending" };
        var job = await server.EndedBulkAsync(await server.StartBulkAsync("deliveries.cancel", filter, "never mind"));
        Assert.Equal((5, 5, 0, 0), BulkCalls.Numbers(job));
        var dead = (await server.GetAsync("/api/v1/deliveries?status=dead")).Json.GetProperty("data");
        Assert.Equal(5, dead.GetArrayLength());
        Assert.Equal("It was cancelled: never mind", dead[0].GetProperty("reason").GetString());
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Replays_captures_as_places_come_free(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var captures = await server.FullTriggerAsync("t", 3);
        var filter = new { trigger = "user/u/t" };
        // The right on the one trigger is enough, and shows no list.
        var (_, key) = await server.NamedKeyAsync("replayer", "trigger:triggers:user/u/t");
        var id = await server.StartBulkAsync("captures.replay", filter, credential: key);
        Assert.Equal(200, (await server.GetAsync("/api/v1/bulk/" + id, key)).Status);
        Assert.Equal(403, (await server.GetAsync("/api/v1/bulk", key)).Status);
        Assert.Equal(403, (await server.PreviewAsync("captures.replay", new { trigger = "user/u/o" }, key)).Status);
        Assert.Equal((3, 0, 0, 3), BulkCalls.Numbers(await server.BulkAsync(id)));
        var put = new
        {
            agent = "idle",
            promptTemplate = "{{body}}",
            maxInFlight = 20,
        };
        await server.PostAsync("/api/triggers/user/u/t", put);
        Assert.Equal((3, 3, 0, 0), BulkCalls.Numbers(await server.EndedBulkAsync(id)));
        var all = (await server.GetAsync("/api/triggers/user/u/t/requests")).Json.GetProperty("data");
        Assert.Equal(6, all.GetProperty("requests").GetArrayLength());
        Assert.All(captures, c => Assert.Contains(c, all.ToString(), StringComparison.Ordinal));
        // And the runs of a trigger are found by it.
        var runs = (await server.GetAsync("/api/v1/runs?trigger=user%2Fu%2Ft")).Json.GetProperty("data");
        Assert.Equal(6, runs.GetArrayLength());
        // A paused one starts nothing.
        await server.SendAsync(HttpMethod.Put, "/api/triggers/user/u/t", server.RootKey, new { isActive = false });
        var paused = await server.EndedBulkAsync(await server.StartBulkAsync("captures.replay", filter));
        Assert.Equal((6, 0, 6, 0), BulkCalls.Numbers(paused));
        Assert.Equal("trigger_paused", paused.GetProperty("reasons")[0].GetProperty("code").GetString());
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_64_that_start_at_once_two_win_and_a_stop_makes_room(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.FullTriggerAsync("t", 3);
        var filter = new { trigger = "user/u/t" };
        const string action = "captures.replay";
        var marks = new List<string>();
        for (var i = 0; i < 64; i++)
            marks.Add((await server.PreviewAsync(action, filter)).String("mark"));
        var answers = await Task.WhenAll(
            marks.Select(mark =>
                server.PostAsync(
                    "/api/v1/bulk",
                    new
                    {
                        action,
                        filter,
                        mark,
                    }
                )
            )
        );
        var won = answers.Where(a => a.Status == 202).ToList();
        Assert.Equal(2, won.Count);
        Assert.All(answers.Except(won), a => Assert.Equal((409, "bulk_running"), (a.Status, a.String("code"))));

        // Stopped while it runs: no further item is done, and another job may start.
        var stopped = (await server.PostAsync($"/api/v1/bulk/{won[0].String("id")}/stop", null)).Json;
        Assert.Equal(
            ("stopped", 3),
            (stopped.GetProperty("status").GetString(), stopped.GetProperty("left").GetInt64())
        );
        Assert.StartsWith(
            "stopped by key_",
            stopped.GetProperty("stoppedBecause").GetString(),
            StringComparison.Ordinal
        );
        Assert.Equal(200, (await server.PostAsync($"/api/v1/bulk/{won[0].String("id")}/stop", null)).Status);
        var third = await server.StartBulkAsync(action, filter);
        await server.PostAsync(
            "/api/triggers/user/u/t",
            new
            {
                agent = "idle",
                promptTemplate = "{{body}}",
                maxInFlight = 100,
            }
        );
        Assert.Equal((3, 3, 0, 0), BulkCalls.Numbers(await server.EndedBulkAsync(won[1].String("id"))));
        Assert.Equal((3, 3, 0, 0), BulkCalls.Numbers(await server.EndedBulkAsync(third)));
        Assert.Equal((3, 0, 0, 3), BulkCalls.Numbers(await server.BulkAsync(won[0].String("id"))));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_revoked_key_stops_its_job_and_so_does_a_right_that_is_taken(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.FullTriggerAsync("t", 2);
        var (revoked, one) = await server.NamedKeyAsync("one", "trigger:triggers");
        var (narrowed, other) = await server.NamedKeyAsync("other", "trigger:triggers");
        var first = await server.StartBulkAsync("captures.replay", new { trigger = "user/u/t" }, credential: one);
        var second = await server.StartBulkAsync("captures.replay", new { trigger = "user/u/t" }, credential: other);
        await server.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + revoked, server.RootKey);
        var patched = await server.SendAsync(
            HttpMethod.Patch,
            "/api/v1/keys/" + narrowed,
            server.RootKey,
            new { scopes = new[] { "read:triggers" } }
        );
        Assert.True(patched.Status == 200, patched.ToString());
        foreach (var (job, why) in ((string, string)[])[(first, "revoked"), (second, "forbidden")])
        {
            var ended = await server.EndedBulkAsync(job);
            Assert.Equal(
                ("stopped", why, 2),
                (
                    ended.GetProperty("status").GetString(),
                    ended.GetProperty("stoppedBecause").GetString(),
                    ended.GetProperty("left").GetInt64()
                )
            );
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_node_that_lost_its_lease_writes_nothing_and_another_goes_on(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.FullTriggerAsync("t", 2);
        var id = await server.StartBulkAsync("captures.replay", new { trigger = "user/u/t" });
        var store = server.App.Services.GetRequiredService<BulkStore>();
        // This test claims the job as a node would, and then does nothing more.
        var held = new List<BulkJob>();
        await WaitFor.TrueAsync(async () =>
        {
            held.AddRange(await store.ClaimAsync(1, TimeSpan.FromSeconds(2)));
            return held.Count > 0;
        });
        await server.PostAsync(
            "/api/triggers/user/u/t",
            new
            {
                agent = "idle",
                promptTemplate = "{{body}}",
                maxInFlight = 100,
            }
        );
        Assert.Equal((2, 2, 0, 0), BulkCalls.Numbers(await server.EndedBulkAsync(id)));
        var item = new BulkItem(held[0], "late", new BulkScope(held[0].Filter, held[0].AsOf, true));
        await Assert.ThrowsAsync<LeaseLostException>(() =>
            server.Database.WriteAsync(async tx =>
            {
                await BulkStore.RecordAsync(tx, item, 0, Skip.Broken, TimeSpan.FromSeconds(10));
                return 0;
            })
        );
        Assert.Equal(0, await store.EndAsync(held[0], BulkJob.Stopped, "late", null));
        Assert.Equal("done", (await server.BulkAsync(id)).GetProperty("status").GetString());
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Takes_at_most_10_000_and_says_that_there_are_more(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.PostAsync("/api/v1/runs", new { agent = "echo", start = false });
        await Crowd.CopyAsync(
            server.Database,
            "run",
            "session IS NULL",
            BulkJob.MaxItems + 1,
            ("id", "'run_crowd' || n"),
            ("created_at", "template.created_at - n"),
            ("due_at", "NULL"),
            ("trigger_key", "NULL"),
            ("tags", "'[\"crowd\"]'")
        );
        var preview = (await server.PreviewAsync("runs.retry", new { tag = "crowd" })).Json;
        Assert.Equal(
            (BulkJob.MaxItems, true),
            (preview.GetProperty("matched").GetInt64(), preview.GetProperty("capped").GetBoolean())
        );
        // Each item is skipped, and the job stops when it is told to: the recorded outcomes are the items so far.
        var id = await server.StartBulkAsync("runs.retry", new { tag = "crowd" });
        await WaitFor.TrueAsync(async () => (await server.BulkAsync(id)).GetProperty("skipped").GetInt64() > 0);
        await server.PostAsync($"/api/v1/bulk/{id}/stop", null);
        var job = await server.EndedBulkAsync(id);
        var (matched, done, skipped, left) = BulkCalls.Numbers(job);
        Assert.Equal((BulkJob.MaxItems, 0, matched - left), (matched, done, skipped));
        Assert.Equal("stopped", job.GetProperty("status").GetString());
        Assert.Equal(skipped, job.GetProperty("reasons")[0].GetProperty("count").GetInt64());
    }

    private static async Task<IReadOnlyList<string>> RunsAsync(TestServer server, int count)
    {
        var runs = new List<string>();
        for (var i = 0; i < count; i++)
            runs.Add((await server.PostAsync("/api/v1/runs", new { agent = "idle" })).String("id"));
        return runs;
    }

    private static async Task<string?> PhaseAsync(TestServer server, string run) =>
        (await server.GetAsync("/api/v1/runs/" + run)).String("phase");

    private static async Task<List<string>> DeadAsync(TestServer server) =>
        [
            .. (await server.GetAsync("/api/v1/deliveries?status=dead&limit=200"))
                .Json.GetProperty("data")
                .EnumerateArray()
                .Select(d => d.GetProperty("id").GetString()!),
        ];
}
