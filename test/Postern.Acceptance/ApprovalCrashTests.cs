using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The real process is killed while people decide. Every decision that was answered as processed stands, its agent is
/// told once for each id, and a question that expires during an absence expires on the return.
/// </summary>
public sealed class ApprovalCrashTests
{
    private static readonly int Kills = CrashRounds.Of(5);
    private const int Deciders = 16;
    private const int Waiting = 400;

    private static Dictionary<string, string> Environment =>
        new()
        {
            ["POSTERN_RateLimits__ProjectBurst"] = "0",
            ["POSTERN_RateLimits__TokenBurst"] = "0",
            ["POSTERN_RateLimits__CallbackBurst"] = "0",
            ["POSTERN_MASTER_KEY"] = "a master key for the crash test, long enough",
            ["POSTERN_Outbound__TimeoutSeconds"] = "2",
        };

    private static string Arguments(Backend backend, string folder) =>
        $"--data {folder} --urls http://127.0.0.1:{PostgresServer.FreePort()} "
        + $"--dev{(backend == Backend.Postgres ? $" --database \"{PostgresServer.NewDatabase()}\"" : "")}";

    private static async Task<(string Run, string Request)> AskAsync(HttpClient http, object body)
    {
        var run = (
            await (
                await http.PostAsJsonAsync("/api/v1/runs", new { agent = "p" })
            ).Content.ReadFromJsonAsync<JsonElement>()
        )
            .GetProperty("id")
            .GetString()!;
        await http.PostAsJsonAsync($"/api/v1/runs/{run}/status", new { status = "running" });
        var asked = await http.PostAsJsonAsync($"/api/v1/executions/{run}/request-approval", body);
        Assert.True(asked.IsSuccessStatusCode, await asked.Content.ReadAsStringAsync());
        return (
            run,
            (await asked.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("approval_request_id").GetString()!
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Every_decision_answered_as_processed_stands_and_its_agent_is_told_once(Backend backend)
    {
        var folder = Directory.CreateTempSubdirectory("postern-approvals-").FullName;
        await using var agent = await Receiver.StartAsync();
        agent.Answers = n => n % 37 == 0 ? (503, "") : (200, "");
        var arguments = Arguments(backend, folder);
        var server = await ServerProcess.StartAsync(arguments, Environment);
        using var http = server.Client(server.RootKey);
        (await http.PutAsJsonAsync("/api/v1/agents/p", new { kind = "pull" })).EnsureSuccessStatusCode();
        (
            await http.PutAsJsonAsync("/api/v1/approval-services/default", new { secrets = new[] { Asking.Secret } })
        ).EnsureSuccessStatusCode();
        var waiting = new ConcurrentQueue<(string Run, string Request)>();
        await Parallel.ForAsync(
            0,
            Waiting,
            new ParallelOptions { MaxDegreeOfParallelism = 16 },
            async (i, _) =>
                waiting.Enqueue(await AskAsync(http, new { title = "q", callback_url = agent.Origin + "/decided" }))
        );
        var all = waiting.ToList();

        var processed = new ConcurrentDictionary<string, string>();
        var reached = new SemaphoreSlim(0);
        var deciders = Enumerable
            .Range(0, Deciders)
            .Select(d =>
                Task.Run(async () =>
                {
                    while (waiting.TryDequeue(out var asked))
                    {
                        // Two people who disagree; each repeats until the server answers, also after a lost answer.
                        await Task.WhenAll(SendAsync(asked.Request, "approved"), SendAsync(asked.Request, "rejected"));
                        reached.Release();
                    }
                })
            )
            .ToList();
        for (var kill = 0; kill < Kills; kill++)
        {
            for (var i = 0; i < 20 + (kill * 7 % 15); i++)
                Assert.True(await reached.WaitAsync(TimeSpan.FromSeconds(60)), "the deciders got through");
            await server.KillAsync();
            await server.DisposeAsync();
            server = await ServerProcess.StartAsync(arguments, Environment);
        }
        await Task.WhenAll(deciders);

        await WaitFor.TrueAsync(
            async () =>
                (await http.GetFromJsonAsync<JsonElement>("/api/v1/deliveries?status=pending"))
                    .GetProperty("data")
                    .GetArrayLength() == 0,
            TimeSpan.FromSeconds(90),
            "every delivery has ended"
        );
        var told = agent
            .Taken.Select(t =>
                (
                    Id: t.Headers["webhook-id"].ToString(),
                    Data: JsonSerializer.Deserialize<JsonElement>(t.Body).GetProperty("data")
                )
            )
            .ToLookup(t => t.Data.GetProperty("approval_request_id").GetString());
        foreach (var (run, request) in all)
        {
            var status = (await http.GetFromJsonAsync<JsonElement>($"/api/v1/executions/{run}/approval-status"))
                .GetProperty("status")
                .GetString()!;
            Assert.Contains(status, (string[])["approved", "rejected"]);
            if (processed.TryGetValue(request, out var won))
                Assert.Equal(won, status);
            Assert.Equal(
                status == "approved" ? "running" : "cancelled",
                (await http.GetFromJsonAsync<JsonElement>("/api/v1/runs/" + run)).GetProperty("phase").GetString()
            );
            Assert.Single(told[request].Select(t => t.Id).Distinct());
            Assert.Equal([status], told[request].Select(t => t.Data.GetProperty("decision").GetString()!).Distinct());
        }
        // A decision that was on disk when its answer was lost is known the second time, so not every winner was told
        // so.
        Assert.True(processed.Count > Waiting * 3 / 4, $"{processed.Count} were answered as processed");
        await server.DisposeAsync();
        Directory.Delete(folder, recursive: true);

        async Task SendAsync(string request, string decision)
        {
            var body = JsonSerializer.Serialize(new { requestId = request, decision });
            while (true)
            {
                try
                {
                    using var message = new HttpRequestMessage(HttpMethod.Post, "/api/v1/webhooks/approval-response")
                    {
                        Content = new StringContent(body, Encoding.UTF8, "application/json"),
                    };
                    var (name, value) = Asking.Sign(body);
                    message.Headers.Add(name, value);
                    using var answer = await http.SendAsync(message);
                    var text = await answer.Content.ReadAsStringAsync();
                    if ((int)answer.StatusCode == 200 && text.Contains("\"processed\"", StringComparison.Ordinal))
                        Assert.True(processed.TryAdd(request, decision), $"{request} was processed twice");
                    if ((int)answer.StatusCode is 200 or 409)
                        return;
                    Assert.True((int)answer.StatusCode == 503, text);
                }
                catch (Exception fault) when (Unanswered.Is(fault))
                {
                    // The process has just been killed.
                }
                await Task.Delay(20);
            }
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Questions_that_expire_during_an_absence_expire_within_five_seconds_of_the_return(Backend backend)
    {
        var folder = Directory.CreateTempSubdirectory("postern-approvals-").FullName;
        var arguments = Arguments(backend, folder);
        var server = await ServerProcess.StartAsync(arguments, Environment);
        using var http = server.Client(server.RootKey);
        (await http.PutAsJsonAsync("/api/v1/agents/p", new { kind = "pull" })).EnsureSuccessStatusCode();
        var due = DateTimeOffset.UtcNow.AddSeconds(1);
        var (away, _) = await AskAsync(http, new { title = "while away", expires_in_hours = 1.0 / 3600 });
        var (later, _) = await AskAsync(http, new { title = "after the return", expires_in_hours = 6.0 / 3600 });
        await server.KillAsync();
        await server.DisposeAsync();
        await WaitFor.TrueAsync(() => Task.FromResult(DateTimeOffset.UtcNow > due.AddMilliseconds(500)));
        server = await ServerProcess.StartAsync(arguments, Environment);
        var returned = DateTimeOffset.UtcNow;
        foreach (var run in new[] { away, later })
        {
            var ended = await http.GetFromJsonAsync<JsonElement>($"/api/v1/executions/{run}/approval-status?wait=20");
            Assert.Equal("expired", ended.GetProperty("status").GetString());
            due = ended.GetProperty("expires_at").GetDateTimeOffset();
            Assert.True(
                ended.GetProperty("responded_at").GetDateTimeOffset() - (due > returned ? due : returned)
                    < TimeSpan.FromSeconds(5),
                ended.GetRawText()
            );
            Assert.Equal(
                "cancelled",
                (await http.GetFromJsonAsync<JsonElement>("/api/v1/runs/" + run)).GetProperty("phase").GetString()
            );
        }
        await server.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }
}
