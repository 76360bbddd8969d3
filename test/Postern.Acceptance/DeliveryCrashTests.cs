using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The real process is killed and its database stopped, under load, with a receiver that logs its requests.
/// </summary>
public sealed class DeliveryCrashTests
{
    private static readonly int Kills = CrashRounds.Of(5);
    private const int Writers = 16;

    private static Dictionary<string, string> Environment =>
        new()
        {
            ["POSTERN_RateLimits__ProjectBurst"] = "0",
            ["POSTERN_RateLimits__TokenBurst"] = "0",
            ["POSTERN_MASTER_KEY"] = "a master key for the crash test, long enough",
            ["POSTERN_Outbound__TimeoutSeconds"] = "2",
        };

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Every_delivery_of_an_acknowledged_change_arrives_under_a_stable_id(Backend backend)
    {
        var folder = Directory.CreateTempSubdirectory("postern-crash-").FullName;
        await using var receiver = await Receiver.StartAsync();
        // It fails now and then, as receivers do.
        receiver.Answers = n => n % 97 == 0 ? (503, "") : (200, "");
        var database = backend == Backend.Postgres ? $" --database \"{PostgresServer.NewDatabase()}\"" : "";
        var arguments = $"--data {folder} --urls http://127.0.0.1:{PostgresServer.FreePort()} --dev{database}";
        var server = await ServerProcess.StartAsync(arguments, Environment);
        using var http = server.Client(server.RootKey);
        await SetUpAsync(http, receiver);

        var ledger = new ConcurrentDictionary<(string Run, string Event), byte>();
        using var stop = new CancellationTokenSource();
        var reached = new SemaphoreSlim(0);
        var writers = Enumerable
            .Range(0, Writers)
            .Select(w => Task.Run(() => WriteAsync(http, w, ledger, reached, stop.Token)))
            .ToList();
        for (var kill = 0; kill < Kills; kill++)
        {
            for (var i = 0; i < 60 + (kill * 13 % 50); i++)
                Assert.True(await reached.WaitAsync(TimeSpan.FromSeconds(30)), "the writers got through");
            await server.KillAsync();
            await server.DisposeAsync();
            server = await ServerProcess.StartAsync(arguments, Environment);
        }
        await stop.CancelAsync();
        await Task.WhenAll(writers);

        await NothingIsPendingAsync(http);
        var arrived = receiver
            .Taken.Where(t =>
                t.Body.Contains("\"type\":\"run.", StringComparison.Ordinal)
                && !t.Body.Contains("run.dispatched", StringComparison.Ordinal)
            )
            .Select(t =>
            {
                var body = JsonSerializer.Deserialize<JsonElement>(t.Body);
                return (
                    Run: body.GetProperty("data").GetProperty("runId").GetString()!,
                    Event: body.GetProperty("type").GetString()!,
                    Id: t.Headers["webhook-id"].ToString()
                );
            })
            .ToList();
        var ids = arrived
            .GroupBy(a => (a.Run, a.Event))
            .ToDictionary(g => g.Key, g => g.Select(a => a.Id).Distinct().Count());
        Assert.True(ledger.Count > Kills * 60, $"{ledger.Count} changes were acknowledged");
        foreach (var change in ledger.Keys)
            Assert.True(ids.ContainsKey(change), $"{change} was acknowledged and never delivered");
        Assert.All(ids, i => Assert.True(i.Value == 1, $"{i.Key} came under {i.Value} ids"));
        await server.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_database_that_goes_away_is_503_and_when_it_is_back_nothing_acknowledged_is_lost()
    {
        var folder = Directory.CreateTempSubdirectory("postern-outage-").FullName;
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = _ => (200, "");
        var postgres = PostgresServer.Own();
        await using var server = await ServerProcess.StartAsync(
            $"--data {folder} --urls http://127.0.0.1:0 --dev --database \"{postgres.CreateDatabase()}\"",
            Environment
        );
        using var http = server.Client(server.RootKey);
        await SetUpAsync(http, receiver);
        var ledger = new ConcurrentDictionary<(string Run, string Event), byte>();
        using var stop = new CancellationTokenSource();
        var (reached, unavailable) = (new SemaphoreSlim(0), new SemaphoreSlim(0));
        var writers = Enumerable
            .Range(0, Writers)
            .Select(w => Task.Run(() => WriteAsync(http, w, ledger, reached, stop.Token, unavailable)))
            .ToList();
        for (var outage = 0; outage < 3; outage++)
        {
            for (var i = 0; i < 150; i++)
                Assert.True(await reached.WaitAsync(TimeSpan.FromSeconds(30)), "the writers got through");
            postgres.Crash();
            // While the database is away the server says so, and stays.
            for (var i = 0; i < 20; i++)
                Assert.True(await unavailable.WaitAsync(TimeSpan.FromSeconds(30)), "503 was answered");
            Assert.Equal(200, (int)(await http.GetAsync("/healthz")).StatusCode);
            Assert.Equal(503, (int)(await http.GetAsync("/readyz")).StatusCode);
            postgres.StartAgain();
            while (reached.Wait(0)) { }
        }
        for (var i = 0; i < 150; i++)
            Assert.True(await reached.WaitAsync(TimeSpan.FromSeconds(30)), "it recovered by itself");
        await stop.CancelAsync();
        await Task.WhenAll(writers);
        await NothingIsPendingAsync(http);
        var arrived = receiver
            .Taken.Select(t => JsonSerializer.Deserialize<JsonElement>(t.Body))
            .Where(b => b.GetProperty("data").TryGetProperty("runId", out _))
            .Select(b => (b.GetProperty("data").GetProperty("runId").GetString()!, b.GetProperty("type").GetString()!))
            .ToHashSet();
        foreach (var change in ledger.Keys)
            Assert.True(arrived.Contains(change), $"{change} was acknowledged and never delivered");
        Directory.Delete(folder, recursive: true);
    }

    private static async Task SetUpAsync(HttpClient http, Receiver receiver)
    {
        (
            await http.PutAsJsonAsync(
                "/api/v1/webhook-endpoints/log",
                new { url = receiver.Origin + "/events", events = new[] { "run.*" } }
            )
        ).EnsureSuccessStatusCode();
        (
            await http.PutAsJsonAsync("/api/v1/agents/called", new { kind = "http", url = receiver.Origin + "/agent" })
        ).EnsureSuccessStatusCode();
    }

    /// <summary>
    /// Starts runs and reports their ends, each with its own id until it is acknowledged, as a retrying client does.
    /// </summary>
    private static async Task WriteAsync(
        HttpClient http,
        int writer,
        ConcurrentDictionary<(string, string), byte> ledger,
        SemaphoreSlim reached,
        CancellationToken stop,
        SemaphoreSlim? unavailable = null
    )
    {
        for (var n = 0; !stop.IsCancellationRequested; n++)
        {
            var key = $"{writer}-{n}";
            if (await SendAsync("/api/v1/runs", new { agent = "called", idempotencyKey = key }, 202) is not { } made)
                return;
            var id = made.GetProperty("id").GetString()!;
            ledger[(id, "run.created")] = 0;
            reached.Release();
            // The dispatch may have moved it already; either way it then runs.
            if (
                await SendAsync($"/api/v1/runs/{id}/status", new { status = "running", eventId = key + "-1" }, 200)
                is null
            )
                return;
            ledger[(id, "run.started")] = 0;
            var end = n % 3 == 0 ? "failed" : "succeeded";
            object report =
                end == "failed"
                    ? new
                    {
                        status = end,
                        eventId = key + "-2",
                        failure = new { code = "tested" },
                    }
                    : new { status = end, eventId = key + "-2" };
            if (await SendAsync($"/api/v1/runs/{id}/status", report, 200) is null)
                return;
            ledger[(id, "run." + end)] = 0;
            reached.Release();
        }

        async Task<JsonElement?> SendAsync(string path, object body, int wanted)
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    using var answer = await http.PostAsJsonAsync(path, body, CancellationToken.None);
                    if ((int)answer.StatusCode == wanted)
                        return await answer.Content.ReadFromJsonAsync<JsonElement>(CancellationToken.None);
                    Assert.True(
                        (int)answer.StatusCode == 503,
                        $"{path}: {(int)answer.StatusCode} "
                            + $"{await answer.Content.ReadAsStringAsync(CancellationToken.None)}"
                    );
                    unavailable?.Release();
                }
                catch (Exception fault) when (Unanswered.Is(fault))
                {
                    // The process has just been killed.
                }
                await Task.Delay(20, CancellationToken.None);
            }
            return null;
        }
    }

    private static Task NothingIsPendingAsync(HttpClient http) =>
        WaitFor.TrueAsync(
            async () =>
                (await http.GetFromJsonAsync<JsonElement>("/api/v1/deliveries?status=pending&limit=1"))
                    .GetProperty("data")
                    .GetArrayLength() == 0,
            TimeSpan.FromSeconds(90),
            "nothing is pending"
        );
}
