using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Postern.Deliveries;
using Postern.Storage;
using Postern.Support;
using Postern.Triggers;

namespace Postern.Contract;

/// <summary>
/// The features' statements besides the main work: lists with every filter, replays, rotations, retention. The same on
/// both databases.
/// </summary>
public sealed class RoutesContract
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Lists_filters_and_changes_answer_alike(Backend backend)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = _ => (404, "no");
        await using var server = await TestServer.StartAsync(backend);
        var pipeline = await Pipeline.PutAsync(server);
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/hook",
            server.RootKey,
            new
            {
                url = receiver.Url,
                events = new[] { "run.*" },
                rateLimit = 1000,
            }
        );
        var job = await pipeline.JobInAsync("AUDIO_EXTRACTING");
        await pipeline.ReportAsync(job, "AUDIO_READY", ("artifact_updates", new { audio_uri = "a" }));
        await pipeline.ReportAsync(job, "FAILED");
        await server.PostAsync(
            "/api/v1/runs",
            new
            {
                agent = "echo",
                tags = new[] { "a%_~b" },
                input = 1,
            }
        );
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/deliveries?status=dead&endpoint=hook"))
                .Json.GetProperty("data")
                .GetArrayLength() >= 4
        );

        await OkAsync(
            "/api/v1/runs?status=FAILED&phase=failed&agent=studio&tag="
                + Uri.EscapeDataString("a%_~b")
                + "&created=2020-01-01..2100-01-01&session=x&trigger=y&limit=1"
        );
        Assert.Equal(
            1,
            (await OkAsync("/api/v1/runs?tag=" + Uri.EscapeDataString("a%_~b")))
                .Json.GetProperty("data")
                .GetArrayLength()
        );
        var page = await OkAsync("/api/v1/runs?limit=1");
        Assert.Equal(
            1,
            (await OkAsync("/api/v1/runs?limit=1&cursor=" + page.String("nextCursor")))
                .Json.GetProperty("data")
                .GetArrayLength()
        );
        await OkAsync($"/api/v1/deliveries?status=dead&endpoint=hook&purpose=event&subject={job}&limit=2");
        await OkAsync("/api/v1/events?type=run.failed&subject=" + job);
        await OkAsync($"/api/v1/runs/{job}/events?limit=2");
        Assert.Equal(
            ["agent", "media"],
            (await OkAsync("/api/v1/workflows"))
                .Json.GetProperty("data")
                .EnumerateArray()
                .Select(w => w.GetProperty("name").GetString()!)
        );
        await OkAsync("/api/v1/callback-secrets");
        Assert.Equal(
            1,
            (await server.PostAsync("/api/v1/callback-token-secrets/rotate", null))
                .Json.GetProperty("number")
                .GetInt32()
        );
        Assert.Equal(
            2,
            (await server.PostAsync($"/api/v1/runs/{job}/retry", new { clientRequestId = "x", profile = "p" }))
                .Json.GetProperty("attempt")
                .GetInt32()
        );
        receiver.Answers = _ => (200, "");
        Assert.True(
            (await server.PostAsync("/api/v1/deliveries/replay", new { purpose = "event", since = "2020-01-01" }))
                .Json.GetProperty("replayed")
                .GetInt32() >= 4
        );
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/deliveries?status=dead")).Json.GetProperty("data").GetArrayLength() == 0
        );
        Assert.Equal(200, (await server.PostAsync("/api/v1/webhook-endpoints/hook/rotate-secret", null)).Status);
        Assert.Equal(
            204,
            (await server.SendAsync(HttpMethod.Delete, "/api/v1/webhook-endpoints/hook", server.RootKey)).Status
        );

        for (var i = 0; i < 4; i++)
            await server.PostAsync(
                $"/api/triggers/user/u/t{i}",
                new
                {
                    agent = "echo",
                    promptTemplate = "x",
                    rateLimit = 100,
                    filter = new { headers = new Dictionary<string, string[]> { ["x"] = ["1"] } },
                }
            );
        for (var i = 0; i < 4; i++)
            await server.SendAsync(HttpMethod.Post, "/inbound/user/u/t0", null, "{}", ("Idempotency-Key", "k" + i));
        Assert.True(
            (await OkAsync("/api/triggers?limit=2")).Json.GetProperty("data").TryGetProperty("nextCursor", out _)
        );
        Assert.Equal(
            2,
            (await OkAsync("/api/triggers/user/u/t0/requests?status=filtered&limit=2"))
                .Json.GetProperty("data")
                .GetProperty("requests")
                .GetArrayLength()
        );
        Assert.Equal(
            200,
            (
                await server.SendAsync(
                    HttpMethod.Put,
                    "/api/triggers/user/u/t1",
                    server.RootKey,
                    "{\"filter\":null,\"maxInFlight\":7}"
                )
            ).Status
        );
        Assert.Equal(
            200,
            (await server.SendAsync(HttpMethod.Delete, "/api/triggers/user/u/t1", server.RootKey)).Status
        );
        Assert.Equal(
            204,
            (await server.SendAsync(HttpMethod.Delete, "/api/v1/agents/studio?force=1", server.RootKey)).Status
        );

        async Task<Answer> OkAsync(string path)
        {
            var answer = await server.GetAsync(path);
            Assert.True(answer.Status == (int)HttpStatusCode.OK, $"{path}: {answer}");
            return answer;
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Only_old_rows_are_removed(Backend backend)
    {
        await using var server = await TestServer.StartAsync(
            backend,
            o => (o.Retention.RunDays, o.Retention.ClosedSessionDays) = (1, 1)
        );
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/p",
            server.RootKey,
            new { kind = "pull", deadlines = new { queuedSeconds = 604_800, totalSeconds = 2_592_000 } }
        );
        await server.PostAsync("/api/triggers/user/u/t", new { agent = "echo", promptTemplate = "x" });
        for (var i = 0; i < 3; i++)
            await server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, "{}", ("Idempotency-Key", "k" + i));
        var ended = (
            await server.PostAsync(
                "/api/v1/runs",
                new
                {
                    agent = "echo",
                    input = 1,
                    idempotencyKey = "k",
                }
            )
        ).String("id");
        await server.GetAsync($"/api/v1/runs/{ended}?wait=20");
        var live = (await server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
        await server.StartSessionAsync("closed");
        await server.PostAsync("/api/v1/sessions/closed/close", new { });
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/triggers/user/u/t/requests?status=success"))
                .Json.GetProperty("data")
                .GetProperty("requests")
                .GetArrayLength() == 3
        );

        var (project, uid) = await server.Database.ReadAsync(tx =>
            tx.FirstAsync("SELECT project, uid FROM agent_trigger", r => (r.GetString(0), r.GetString(1)))
        );
        var captures = server.App.Services.GetRequiredService<CaptureStore>();
        Assert.Equal(2, await captures.SweepAsync(project, uid, 1));
        Assert.Equal(0, await captures.ForgetKeysAsync(10));
        server.Clock.Advance(TimeSpan.FromDays(2));
        Assert.Equal(3, await captures.ForgetKeysAsync(10));
        await Sweeps.OfAllLoopsAsync(server);
        Assert.Equal(404, (await server.GetAsync("/api/v1/runs/" + ended)).Status);
        Assert.Equal(404, (await server.GetAsync("/api/v1/sessions/closed")).Status);
        Assert.Equal(200, (await server.GetAsync("/api/v1/runs/" + live)).Status);
        foreach (var table in (string[])["run_data", "run_event", "run_request"])
            Assert.Equal(
                0,
                await server.Database.ReadAsync(tx =>
                    tx.FirstAsync($"SELECT COUNT(*) FROM {table} WHERE run = $1", r => r.GetInt64(0), ended)
                )
            );
        // The key is free again, because its run is gone.
        Assert.NotEqual(
            ended,
            (
                await server.PostAsync(
                    "/api/v1/runs",
                    new
                    {
                        agent = "echo",
                        input = 1,
                        idempotencyKey = "k",
                    }
                )
            ).String("id")
        );

        var deliveries = server.App.Services.GetRequiredService<DeliveryStore>();
        Assert.Equal(0, await deliveries.SweepAsync(server.Database.Now - (30L * 86_400 * 1_000_000), 100));
        Assert.True(await deliveries.SweepAsync(server.Database.Now + 1, 100) > 0);
    }
}
