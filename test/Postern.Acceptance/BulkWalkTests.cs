using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Postern.Metrics;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Bulk actions of an operator in a real browser, from the overview in at most three clicks; and the same with the
/// process killed half-way.
/// </summary>
public sealed class BulkWalkTests
{
    private static Dictionary<string, string> Environment =>
        new()
        {
            ["POSTERN_RateLimits__ProjectBurst"] = "0",
            ["POSTERN_Outbound__AllowedNetworks__0"] = "127.0.0.0/8",
            ["POSTERN_MASTER_KEY"] = "a master key for the walk, long enough",
        };

    [Theory]
    [InlineData(Backend.Sqlite, 604)]
    [InlineData(Backend.Postgres, 304)]
    internal async Task The_subscriber_was_down_and_all_that_it_missed_is_replayed_also_after_a_kill(
        Backend backend,
        int dead
    )
    {
        var words = dead.ToString("N0", CultureInfo.InvariantCulture);
        var folder = Directory.CreateTempSubdirectory("postern-walk-").FullName;
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = _ => (404, "down");
        var database = backend == Backend.Postgres ? $" --database \"{PostgresServer.NewDatabase()}\"" : "";
        var arguments = $"--data {folder} --urls http://127.0.0.1:{PostgresServer.FreePort()} --dev{database}";
        var server = await ServerProcess.StartAsync(arguments, Environment);
        var key = server.RootKey;
        using var http = server.Client(key);
        await http.PutAsJsonAsync(
            "/api/v1/webhook-endpoints/orders",
            new { url = receiver.Url, events = new[] { "run.created" } }
        );
        await Parallel.ForEachAsync(
            Enumerable.Range(0, dead),
            new ParallelOptions { MaxDegreeOfParallelism = 16 },
            async (_, cancel) =>
                (
                    await http.PostAsJsonAsync("/api/v1/runs", new { agent = "echo", start = false }, cancel)
                ).EnsureSuccessStatusCode()
        );
        await WaitFor.TrueAsync(async () => (await ListAsync(http, "pending")).Count == 0, TimeSpan.FromSeconds(120));
        var missed = await ListAsync(http, "dead");
        Assert.Equal(dead, missed.Count);
        receiver.Answers = _ => (200, "");
        var before = receiver.Taken.Count;

        await using var browser = await ConsoleBrowser.StartAsync(server.Url, key);
        var page = await browser.SignedInAsync();
        await page.Locator("a.tile", new PageLocatorOptions { HasText = "Dead letters" }).ClickAsync();
        var line = page.Locator(".sums li", new PageLocatorOptions { HasText = "orders" });
        Assert.Contains(words + " dead", await line.InnerTextAsync(), StringComparison.Ordinal);
        Assert.Contains("answered 404", await line.InnerTextAsync(), StringComparison.Ordinal);
        await page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Replay these " + words }).ClickAsync();
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync($"Replay {words} deliveries");
        Assert.Equal(5, await page.Locator(".sample li").CountAsync());
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Replay" }).ClickAsync();
        await page.ArrivesAsync("*/console/bulk/bulk_*");
        var job = page.Url.Split('/')[^1];
        await WaitFor.TrueAsync(async () => await NumberAsync(http, job, "done") is > 100);
        await server.KillAsync();
        await server.DisposeAsync();
        server = await ServerProcess.StartAsync(arguments, Environment);
        // The page that was open all the time counts on by itself.
        var patience = new LocatorAssertionsToHaveTextOptions { Timeout = 120_000 };
        await Assertions.Expect(page.Locator("#done")).ToHaveTextAsync(words, patience);
        await Assertions.Expect(page.Locator("#arrived")).ToHaveTextAsync(words, patience);
        await Assertions.Expect(page.Locator("#left")).ToHaveTextAsync("0", patience);

        var delivered = await ListAsync(http, "delivered");
        Assert.Equal(missed.Order(StringComparer.Ordinal), delivered.Order(StringComparer.Ordinal));
        var arrived = receiver.Taken.Skip(before).Select(t => t.Headers["webhook-id"].ToString()).ToList();
        Assert.Equal(dead, arrived.Distinct(StringComparer.Ordinal).Count());
        // A second request was under way when the process died: its first 2xx was never recorded.
        foreach (var id in arrived.GroupBy(a => a, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key))
            Assert.Single(
                (await http.GetFromJsonAsync<JsonElement>("/api/v1/deliveries/" + id))
                    .GetProperty("attempts")
                    .EnumerateArray(),
                a =>
                    a.GetProperty("status").ValueKind == JsonValueKind.Number
                    && a.GetProperty("status").GetInt32() == 200
            );
        await server.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Something_loops_and_its_trigger_is_paused_and_its_live_runs_are_cancelled()
    {
        await using var server = await TestServer.StartAsync();
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        async Task MakeAsync(string id, int count)
        {
            var trigger = new
            {
                agent = "idle",
                promptTemplate = "x",
                maxInFlight = 1000,
            };
            await server.PostAsync("/api/triggers/user/u/" + id, trigger);
            for (var i = 0; i < count; i++)
                await server.SendAsync(HttpMethod.Post, "/inbound/user/u/" + id, null, "{}");
        }
        await MakeAsync("loop", 3);
        await WaitFor.TrueAsync(async () => (await CountAsync(server, "trigger=user/u/loop")) == 3);
        await KeepFiguresAsync(server);
        // The loop falls into a later minute; the clock stands at its beginning.
        var minute = MetricWidth.Minute.StartOf(server.Database.Now) + (2 * MetricWidth.Minute.Length);
        server.Clock.Advance(TimeSpan.FromMicroseconds(minute - server.Database.Now + 1_000_000));
        await MakeAsync("other", 4);
        await MakeAsync("loop", 30);
        await KeepFiguresAsync(server);
        await using var browser = await ConsoleBrowser.StartAsync(server);
        var page = await browser.SignedInAsync();
        // The chart's last minute, in which the line goes up, is at its right end.
        var chart = page.Locator("figure.chart", new PageLocatorOptions { HasText = "Runs, by outcome" });
        var box = (await chart.Locator(".u-over").BoundingBoxAsync())!;
        await chart
            .Locator(".u-over")
            .ClickAsync(
                new LocatorClickOptions
                {
                    Position = new Position { X = box.Width - 2, Y = 40 },
                }
            );
        await page.ArrivesAsync("*/console/runs?created=*");
        var counts = await page.Locator("dl.counts").InnerTextAsync();
        Assert.Contains("user/u/loop 30", counts, StringComparison.Ordinal);
        await page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Pause it and cancel its 30 live runs" })
            .ClickAsync();
        Assert.Contains("30 runs", await page.InnerTextAsync("main"), StringComparison.Ordinal);
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Do both" }).ClickAsync();
        await page.ArrivesAsync("*/console/bulk/bulk_*");
        await Assertions.Expect(page.Locator("#done")).ToHaveTextAsync("30");
        await Assertions.Expect(page.Locator("#left")).ToHaveTextAsync("0");
        Assert.Equal(404, (await server.SendAsync(HttpMethod.Post, "/inbound/user/u/loop", null, "{}")).Status);
        Assert.Equal(30, await CountAsync(server, "phase=cancelled"));
        Assert.Equal(4, await CountAsync(server, "phase=queued,running&trigger=user/u/other"));
        Assert.Equal(3, await CountAsync(server, "phase=queued,running&trigger=user/u/loop"));
    }

    /// <summary>The counts are stored, as they are once a minute.</summary>
    private static Task KeepFiguresAsync(TestServer server) =>
        server
            .App.Services.GetRequiredService<MetricWriter>()
            .KeepAsync(MetricWidth.Minute.StartOf(server.Database.Now));

    private static async Task<int> CountAsync(TestServer server, string query) =>
        (await server.GetAsync("/api/v1/runs?limit=200&" + query)).Json.GetProperty("data").GetArrayLength();

    private static async Task<long> NumberAsync(HttpClient http, string job, string name) =>
        (await http.GetFromJsonAsync<JsonElement>("/api/v1/bulk/" + job)).GetProperty(name).GetInt64();

    private static async Task<List<string>> ListAsync(HttpClient http, string status)
    {
        var ids = new List<string>();
        string? cursor = null;
        do
        {
            var page = await http.GetFromJsonAsync<JsonElement>(
                $"/api/v1/deliveries?limit=200&status={status}" + (cursor is null ? "" : "&cursor=" + cursor)
            );
            ids.AddRange(page.GetProperty("data").EnumerateArray().Select(d => d.GetProperty("id").GetString()!));
            cursor = page.TryGetProperty("nextCursor", out var next) ? Uri.EscapeDataString(next.GetString()!) : null;
        } while (cursor is not null);
        return ids;
    }
}
