using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>The sample agent, started as its first lines say, answers a session of the real server.</summary>
public sealed class SampleTests
{
    [Fact]
    public async Task The_sample_agent_answers_a_dispatch_and_refuses_a_forged_one()
    {
        var folder = Directory.CreateTempSubdirectory("postern-sample-").FullName;
        await using var server = await ServerProcess.StartAsync($"--data {folder} --urls http://127.0.0.1:0 --dev");
        using var http = server.Client(server.RootKey);
        var url = $"http://127.0.0.1:{PostgresServer.FreePort()}";
        var put = await (await http.PutAsJsonAsync("/api/v1/agents/counter", new { kind = "http", url = url + "/agent" })).Content.ReadFromJsonAsync<JsonElement>();

        var sample = Repository.File("samples/HttpAgent/bin/Debug/net10.0/HttpAgent.dll");
        var start = new ProcessStartInfo("dotnet", $"{sample} --urls {url}") { RedirectStandardOutput = true };
        start.Environment["AGENT_SECRET"] = put.GetProperty("secret").GetString();
        using var agent = Process.Start(start)!;
        try
        {
            await WaitFor.TrueAsync(async () =>
            {
                try
                {
                    using var forged = await http.PostAsync(url + "/agent", new StringContent("{}"));
                    return (int)forged.StatusCode == 401;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            });
            await http.PostAsJsonAsync("/api/v1/sessions", new { type = "chat", externalId = "sample", taskIdentifier = "counter", triggerConfig = new { basePayload = new { } } });
            await http.PostAsync("/realtime/v1/sessions/sample/in/append", new StringContent("{\"kind\":\"message\",\"payload\":{\"chatId\":\"sample\",\"trigger\":\"submit-message\",\"message\":{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"text\":\"one two three four\"}]}}}"));
            await WaitFor.TrueAsync(async () => (await http.GetStringAsync("/sessions/sample/history")).Contains("You said 4 words.", StringComparison.Ordinal));
            var job = await (await http.PostAsJsonAsync("/api/v1/runs", new { agent = "counter", input = "twelve chars" })).Content.ReadFromJsonAsync<JsonElement>();
            var ended = await http.GetStringAsync($"/api/v1/runs/{job.GetProperty("id").GetString()}?wait=20");
            Assert.True(ended.Contains("14 characters of input", StringComparison.Ordinal), ended);
        }
        finally
        {
            agent.Kill();
            await agent.WaitForExitAsync();
        }
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task The_sample_worker_claims_works_and_reports_with_a_key_for_its_agent_alone()
    {
        var folder = Directory.CreateTempSubdirectory("postern-sample-").FullName;
        await using var server = await ServerProcess.StartAsync($"--data {folder} --urls http://127.0.0.1:0");
        using var http = server.Client(server.RootKey);
        (await http.PutAsJsonAsync("/api/v1/agents/words", new { kind = "pull" })).EnsureSuccessStatusCode();
        var key = await (await http.PostAsJsonAsync("/api/v1/keys", new { name = "worker", scopes = new[] { "write:tasks:words" } })).Content.ReadFromJsonAsync<JsonElement>();
        var start = new ProcessStartInfo("dotnet", $"{Repository.File("samples/Worker/bin/Debug/net10.0/Worker.dll")} words") { RedirectStandardOutput = true };
        start.Environment["POSTERN_URL"] = server.Url;
        start.Environment["POSTERN_KEY"] = key.GetProperty("key").GetString();
        using var worker = Process.Start(start)!;
        try
        {
            Assert.Equal("succeeded 25", await EndAsync(new { text = string.Join(' ', Enumerable.Repeat("word", 25)) }));
            Assert.Equal("failed bad_input", await EndAsync(new { number = 1 }));
        }
        finally
        {
            worker.Kill();
            await worker.WaitForExitAsync();
        }

        async Task<string> EndAsync(object input)
        {
            var made = await (await http.PostAsJsonAsync("/api/v1/runs", new { agent = "words", input })).Content.ReadFromJsonAsync<JsonElement>();
            var run = await http.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{made.GetProperty("id").GetString()}?wait=30");
            return run.GetProperty("phase").GetString() + " " + (run.GetProperty("failure").ValueKind == JsonValueKind.Null ? run.GetProperty("output").GetProperty("words").ToString() : run.GetProperty("failure").GetProperty("code").GetString());
        }
    }
}
