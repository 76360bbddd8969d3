using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The real process is killed under inbound load: every request that was answered 200 has its capture, session, run and
/// dispatch; a repeated delivery id starts nothing twice.
/// </summary>
public sealed class InboundCrashTests
{
    private static readonly int Kills = CrashRounds.Of(6);
    private const int Writers = 16;

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Every_request_answered_200_has_all_that_follows_once(Backend backend)
    {
        var folder = Directory.CreateTempSubdirectory("postern-inbound-").FullName;
        await using var agent = await Receiver.StartAsync();
        agent.Answers = _ => (200, "{\"status\":\"succeeded\",\"output\":\"done\"}");
        var database = backend == Backend.Postgres ? $" --database \"{PostgresServer.NewDatabase()}\"" : "";
        var arguments = $"--data {folder} --urls http://127.0.0.1:{PostgresServer.FreePort()} --dev{database}";
        var environment = new Dictionary<string, string>
        {
            ["POSTERN_RateLimits__ProjectBurst"] = "0",
            ["POSTERN_RateLimits__TokenBurst"] = "0",
            ["POSTERN_RateLimits__CallbackBurst"] = "0",
            ["POSTERN_MASTER_KEY"] = "a master key for the crash test, long enough",
            ["POSTERN_Outbound__TimeoutSeconds"] = "2",
            ["POSTERN_Retention__CapturesPerTrigger"] = "100000",
        };
        var server = await ServerProcess.StartAsync(arguments, environment);
        using var http = server.Client(server.RootKey);
        (
            await http.PutAsJsonAsync("/api/v1/agents/called", new { kind = "http", url = agent.Url })
        ).EnsureSuccessStatusCode();
        (
            await http.PostAsJsonAsync(
                "/api/triggers/user/u/t",
                new
                {
                    agent = "called",
                    promptTemplate = "work on {{body.n}}",
                    maxInFlight = 1000,
                }
            )
        ).EnsureSuccessStatusCode();

        var taken = new ConcurrentDictionary<string, string>();
        using var stop = new CancellationTokenSource();
        var reached = new SemaphoreSlim(0);
        var writers = Enumerable.Range(0, Writers).Select(w => Task.Run(() => WriteAsync(w))).ToList();
        for (var kill = 0; kill < Kills; kill++)
        {
            for (var i = 0; i < 40 + (kill * 11 % 30); i++)
                Assert.True(await reached.WaitAsync(TimeSpan.FromSeconds(60)), "the writers got through");
            await server.KillAsync();
            await server.DisposeAsync();
            server = await ServerProcess.StartAsync(arguments, environment);
        }
        await stop.CancelAsync();
        await Task.WhenAll(writers);

        JsonElement trigger = default;
        await WaitFor.TrueAsync(
            async () =>
                (trigger = (await http.GetFromJsonAsync<JsonElement>("/api/triggers/user/u/t")).GetProperty("data"))
                    .GetProperty("inFlight")
                    .GetInt32() == 0,
            TimeSpan.FromSeconds(120),
            "every capture has ended"
        );
        Assert.True(taken.Count > Kills * 40, $"{taken.Count} were taken");
        // One capture for each delivery id, however often it was sent.
        Assert.Equal(taken.Count, taken.Values.Distinct().Count());
        var dispatched = agent
            .Taken.Select(t => JsonSerializer.Deserialize<JsonElement>(t.Body))
            .Where(b => b.GetProperty("type").GetString() == "run.dispatched")
            .GroupBy(b => b.GetProperty("data").GetProperty("trigger").GetProperty("requestId").GetString()!)
            .ToDictionary(
                g => g.Key,
                g =>
                    g.Select(b => b.GetProperty("data").GetProperty("run").GetProperty("id").GetString())
                        .Distinct()
                        .Count()
            );
        foreach (var request in taken.Values)
        {
            var capture = (
                await http.GetFromJsonAsync<JsonElement>($"/api/triggers/user/u/t/requests/{request}")
            ).GetProperty("data");
            Assert.True(capture.GetProperty("processStatus").GetString() == "success", capture.GetRawText());
            Assert.True(
                dispatched.TryGetValue(request, out var runs) && runs == 1,
                $"{request} was given out by {runs} runs"
            );
        }
        await server.DisposeAsync();
        Directory.Delete(folder, recursive: true);

        async Task WriteAsync(int writer)
        {
            for (var n = 0; !stop.IsCancellationRequested; n++)
            {
                var key = $"{writer}-{n}";
                while (!stop.IsCancellationRequested)
                {
                    try
                    {
                        using var request = new HttpRequestMessage(HttpMethod.Post, "/inbound/user/u/t")
                        {
                            Content = JsonContent.Create(new { n = key }),
                        };
                        request.Headers.Add("Idempotency-Key", key);
                        using var answer = await http.SendAsync(request, CancellationToken.None);
                        if ((int)answer.StatusCode == 200)
                        {
                            taken[key] = (await answer.Content.ReadFromJsonAsync<JsonElement>(CancellationToken.None))
                                .GetProperty("data")
                                .GetProperty("requestId")
                                .GetString()!;
                            reached.Release();
                            break;
                        }
                        Assert.True((int)answer.StatusCode is 429 or 503, $"{(int)answer.StatusCode}");
                    }
                    catch (Exception fault) when (Unanswered.Is(fault))
                    {
                        // The process has just been killed.
                    }
                    await Task.Delay(20, CancellationToken.None);
                }
            }
        }
    }
}
