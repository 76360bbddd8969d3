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
        var put = await (
            await http.PutAsJsonAsync("/api/v1/agents/counter", new { kind = "http", url = url + "/agent" })
        ).Content.ReadFromJsonAsync<JsonElement>();

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
                catch (Exception fault) when (Unanswered.Is(fault))
                {
                    return false;
                }
            });
            await http.PostAsJsonAsync(
                "/api/v1/sessions",
                new
                {
                    type = "chat",
                    externalId = "sample",
                    taskIdentifier = "counter",
                    triggerConfig = new { basePayload = new { } },
                }
            );
            await http.PostAsync(
                "/realtime/v1/sessions/sample/in/append",
                new StringContent(
                    "{\"kind\":\"message\",\"payload\":{\"chatId\":\"sample\",\"trigger\":\"submit-message\","
                        + "\"message\":{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"text\":\"one two three "
                        + "four\"}]}}}"
                )
            );
            await WaitFor.TrueAsync(async () =>
                (await http.GetStringAsync("/sessions/sample/history")).Contains(
                    "You said 4 words.",
                    StringComparison.Ordinal
                )
            );
            var job = await (
                await http.PostAsJsonAsync("/api/v1/runs", new { agent = "counter", input = "twelve chars" })
            ).Content.ReadFromJsonAsync<JsonElement>();
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
        var key = await (
            await http.PostAsJsonAsync("/api/v1/keys", new { name = "worker", scopes = new[] { "write:tasks:words" } })
        ).Content.ReadFromJsonAsync<JsonElement>();
        var start = new ProcessStartInfo(
            "dotnet",
            $"{Repository.File("samples/Worker/bin/Debug/net10.0/Worker.dll")} words"
        )
        {
            RedirectStandardOutput = true,
        };
        start.Environment["POSTERN_URL"] = server.Url;
        start.Environment["POSTERN_KEY"] = key.GetProperty("key").GetString();
        using var worker = Process.Start(start)!;
        try
        {
            Assert.Equal(
                "succeeded 25",
                await EndAsync(new { text = string.Join(' ', Enumerable.Repeat("word", 25)) })
            );
            Assert.Equal("failed bad_input", await EndAsync(new { number = 1 }));
        }
        finally
        {
            worker.Kill();
            await worker.WaitForExitAsync();
        }

        async Task<string> EndAsync(object input)
        {
            var made = await (
                await http.PostAsJsonAsync("/api/v1/runs", new { agent = "words", input })
            ).Content.ReadFromJsonAsync<JsonElement>();
            var run = await http.GetFromJsonAsync<JsonElement>(
                $"/api/v1/runs/{made.GetProperty("id").GetString()}?wait=30"
            );
            return run.GetProperty("phase").GetString()
                + " "
                + (
                    run.GetProperty("failure").ValueKind == JsonValueKind.Null
                        ? run.GetProperty("output").GetProperty("words").ToString()
                        : run.GetProperty("failure").GetProperty("code").GetString()
                );
        }
    }

    [Fact]
    public async Task The_sample_that_asks_does_what_was_approved_and_nothing_else()
    {
        var folder = Directory.CreateTempSubdirectory("postern-sample-").FullName;
        await using var server = await ServerProcess.StartAsync($"--data {folder} --urls http://127.0.0.1:0 --dev");
        using var http = server.Client(server.RootKey);
        var url = $"http://127.0.0.1:{PostgresServer.FreePort()}";
        var put = await (
            await http.PutAsJsonAsync("/api/v1/agents/careful", new { kind = "http", url = url + "/agent" })
        ).Content.ReadFromJsonAsync<JsonElement>();
        (
            await http.PutAsJsonAsync(
                "/api/v1/approval-services/default",
                new { secrets = new[] { "the secret of the sample" }, require_timestamp = true }
            )
        ).EnsureSuccessStatusCode();
        var said = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var agent = await StartAsync();
        try
        {
            // A first round, changes, a second round in which the agent dies, approval.
            var dropped = await RunAsync("orders");
            var first = await AskedAsync(1);
            Assert.Equal(1, await DecideAsync(first, "approved", secret: "not the secret"));
            Assert.Equal(0, await DecideAsync(first, "request_changes", "year = 2019"));
            var second = await AskedAsync(2);
            Assert.NotEqual(first, second);
            Assert.Contains(
                "DELETE FROM orders WHERE year = 2019",
                await http.GetStringAsync("/api/v1/approvals/" + second),
                StringComparison.Ordinal
            );
            agent.Kill();
            await agent.WaitForExitAsync();
            Assert.Equal(0, await DecideAsync(second, "approved"));
            agent = await StartAsync();
            Assert.Equal(
                "{\"dropped\":\"orders\"}",
                (await http.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{dropped}?wait=30"))
                    .GetProperty("output")
                    .GetRawText()
            );
            Assert.Single(said, l => l == "dropped orders");

            var kept = await RunAsync("customers");
            Assert.Equal(0, await DecideAsync(await AskedAsync(3), "rejected", "never"));
            var ended = await http.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{kept}?wait=30");
            Assert.Equal(
                ("cancelled", "The approval was rejected: never"),
                (ended.GetProperty("phase").GetString(), ended.GetProperty("reason").GetString())
            );
            Assert.DoesNotContain("dropped customers", said);
        }
        finally
        {
            agent.Kill();
            await agent.WaitForExitAsync();
        }
        Directory.Delete(folder, recursive: true);

        async Task<Process> StartAsync()
        {
            var start = new ProcessStartInfo(
                "dotnet",
                $"{Repository.File("samples/ApprovalAgent/bin/Debug/net10.0/ApprovalAgent.dll")} --urls {url}"
            )
            {
                RedirectStandardOutput = true,
            };
            (start.Environment["AGENT_SECRET"], start.Environment["POSTERN_URL"], start.Environment["AGENT_DATA"]) = (
                put.GetProperty("secret").GetString(),
                server.Url,
                folder + "/pending"
            );
            var process = Process.Start(start)!;
            process.OutputDataReceived += (_, line) =>
            {
                if (line.Data is not null)
                    said.Enqueue(line.Data);
            };
            process.BeginOutputReadLine();
            await WaitFor.TrueAsync(async () =>
            {
                try
                {
                    using var forged = await http.PostAsync(url + "/agent", new StringContent("{}"));
                    return (int)forged.StatusCode == 401;
                }
                catch (Exception fault) when (Unanswered.Is(fault))
                {
                    return false;
                }
            });
            return process;
        }

        async Task<string> RunAsync(string table) =>
            (
                await (
                    await http.PostAsJsonAsync("/api/v1/runs", new { agent = "careful", input = new { table } })
                ).Content.ReadFromJsonAsync<JsonElement>()
            )
                .GetProperty("id")
                .GetString()!;

        async Task<string> AskedAsync(int number)
        {
            await WaitFor.TrueAsync(
                () => Task.FromResult(said.Count(l => l.StartsWith("asked ", StringComparison.Ordinal)) >= number),
                TimeSpan.FromSeconds(30),
                $"question {number} in: {string.Join(" | ", said)}"
            );
            return said.Where(l => l.StartsWith("asked ", StringComparison.Ordinal)).ElementAt(number - 1).Split(' ')[
                1
            ];
        }

        // The script as a person runs it, with Stripe's library: its exit code says whether the decision was accepted.
        async Task<int> DecideAsync(
            string request,
            string decision,
            string? comment = null,
            string secret = "the secret of the sample"
        )
        {
            var start = new ProcessStartInfo(Repository.Node)
            {
                WorkingDirectory = Repository.File("samples/ApprovalAgent"),
                RedirectStandardOutput = true,
            };
            foreach (
                var argument in (string[])
                    ["decide.mjs", request, decision, .. comment is null ? Array.Empty<string>() : [comment]]
            )
                start.ArgumentList.Add(argument);
            (start.Environment["APPROVAL_SECRET"], start.Environment["POSTERN_URL"]) = (secret, server.Url);
            using var node = Process.Start(start)!;
            await node.StandardOutput.ReadToEndAsync();
            await node.WaitForExitAsync();
            return node.ExitCode;
        }
    }
}
