using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The real process is killed in the middle of a job, again and again: no item is done twice or left out.
/// </summary>
public sealed class BulkCrashTests
{
    private const int Runs = 300;

    private static Dictionary<string, string> Environment =>
        new()
        {
            ["POSTERN_RateLimits__ProjectBurst"] = "0",
            ["POSTERN_MASTER_KEY"] = "a master key for the crash test, long enough",
        };

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_job_goes_on_after_each_kill_and_does_each_item_once(Backend backend)
    {
        var folder = Directory.CreateTempSubdirectory("postern-bulk-").FullName;
        var database = backend == Backend.Postgres ? $" --database \"{PostgresServer.NewDatabase()}\"" : "";
        var arguments = $"--data {folder} --urls http://127.0.0.1:{PostgresServer.FreePort()} --dev{database}";
        var server = await ServerProcess.StartAsync(arguments, Environment);
        using var http = server.Client(server.RootKey);
        await http.PutAsJsonAsync("/api/v1/agents/idle", new { kind = "pull" });
        await Parallel.ForEachAsync(
            Enumerable.Range(0, Runs),
            new ParallelOptions { MaxDegreeOfParallelism = 8 },
            async (_, cancel) => await http.PostAsJsonAsync("/api/v1/runs", new { agent = "idle" }, cancel)
        );
        var filter = new { agent = "idle", phase = "queued" };
        const string action = "runs.cancel";
        var preview = await PostAsync(
            http,
            new
            {
                action,
                filter,
                preview = true,
            }
        );
        Assert.Equal(Runs, preview.GetProperty("matched").GetInt32());
        var mark = preview.GetProperty("mark").GetString();
        var job = (
            await PostAsync(
                http,
                new
                {
                    action,
                    filter,
                    mark,
                }
            )
        ).GetProperty("id").GetString()!;
        var (kills, seen) = (0, 0L);
        while (kills < 3)
        {
            // Some were done after the restart, and some are left.
            await WaitFor.TrueAsync(async () => await DoneAsync(http, job) is var done && done > seen);
            await server.KillAsync();
            await server.DisposeAsync();
            server = await ServerProcess.StartAsync(arguments, Environment);
            kills++;
            seen = await DoneAsync(http, job);
            if (seen == Runs)
                break;
        }
        Assert.True(kills > 1 || seen < Runs, "it was killed in the middle");
        await WaitFor.TrueAsync(
            async () => (await JobAsync(http, job)).GetProperty("status").GetString() == "done",
            TimeSpan.FromSeconds(60)
        );
        Assert.Equal((Runs, Runs, 0, 0), BulkCalls.Numbers(await JobAsync(http, job)));
        // The start again, as a client would send it after a lost answer.
        Assert.Equal(job, (
                await PostAsync(
                    http,
                    new
                    {
                        action,
                        filter,
                        mark,
                    }
                )
            ).GetProperty("id").GetString());
        var cancelled = 0;
        string? cursor = null;
        do
        {
            var page = await http.GetFromJsonAsync<JsonElement>(
                "/api/v1/runs?limit=200&phase=cancelled" + (cursor is null ? "" : "&cursor=" + cursor)
            );
            foreach (var run in page.GetProperty("data").EnumerateArray())
            {
                cancelled++;
                var events = await http.GetFromJsonAsync<JsonElement>(
                    $"/api/v1/runs/{run.GetProperty("id").GetString()}/events"
                );
                Assert.Single(
                    events.GetProperty("data").EnumerateArray(),
                    e => e.TryGetProperty("to", out var to) && to.GetString() == "cancelled"
                );
            }
            cursor = page.TryGetProperty("nextCursor", out var next) ? Uri.EscapeDataString(next.GetString()!) : null;
        } while (cursor is not null);
        Assert.Equal(Runs, cancelled);
        await server.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    private static async Task<JsonElement> PostAsync(HttpClient http, object body)
    {
        using var answer = await http.PostAsJsonAsync("/api/v1/bulk", body);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonSerializer.Deserialize<JsonElement>(text);
    }

    private static Task<JsonElement> JobAsync(HttpClient http, string job) =>
        http.GetFromJsonAsync<JsonElement>("/api/v1/bulk/" + job);

    private static async Task<long> DoneAsync(HttpClient http, string job) =>
        (await JobAsync(http, job)).GetProperty("done").GetInt64();
}
