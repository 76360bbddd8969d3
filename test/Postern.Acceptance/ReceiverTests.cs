using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Libraries that were not written here verify everything that leaves the server: <c>standardwebhooks</c> and
/// <c>svix</c>.
/// </summary>
public sealed class ReceiverTests
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwYmFjY2VwdGFu";

    [Fact]
    public async Task Dispatches_notices_callbacks_and_events_verify_also_while_a_secret_is_rotated()
    {
        var folder = Directory.CreateTempSubdirectory("postern-receivers-").FullName;
        var server = await ServerProcess.StartAsync($"--data {folder} --urls http://127.0.0.1:0 --dev");
        using var http = server.Client(server.RootKey);
        using var node = Node.Start("receive.mjs " + Secret, []);
        var port = (await node.StandardOutput.ReadLineAsync())!["listening ".Length..];
        var url = $"http://127.0.0.1:{port}/";
        await PutAsync(
            "agents/called",
            new
            {
                kind = "http",
                url,
                secret = Secret,
            }
        );
        await PutAsync(
            "webhook-endpoints/all",
            new
            {
                url,
                events = new[] { "*" },
                secret = Secret,
            }
        );
        (await http.PostAsync("/api/v1/webhook-endpoints/all/rotate-secret", null)).EnsureSuccessStatusCode();

        var run = await (
            await http.PostAsJsonAsync(
                "/api/v1/runs",
                new
                {
                    agent = "called",
                    input = "grüße €😀",
                    callback = new { url, secret = Secret },
                }
            )
        ).Content.ReadFromJsonAsync<JsonElement>();
        var wanted = new HashSet<string>(
            ["run.created", "run.dispatched", "run.started", "run.cancelled"],
            StringComparer.Ordinal
        );
        var (seen, cancelled) = (new List<JsonElement>(), 0);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        // The end is sent three times: to the agent, to the caller, to the subscriber.
        while (wanted.Count > 0 || cancelled < 3)
        {
            var line = JsonSerializer.Deserialize<JsonElement>(
                (await node.StandardOutput.ReadLineAsync(patience.Token))!
            );
            seen.Add(line);
            var type = line.GetProperty("type").GetString()!;
            wanted.Remove(type);
            if (type == "run.cancelled")
                cancelled++;
            if (type == "run.started")
                (
                    await http.PostAsync($"/api/v1/runs/{run.GetProperty("id").GetString()}/cancel", null)
                ).EnsureSuccessStatusCode();
        }
        Assert.All(
            seen,
            s =>
                Assert.True(
                    s.GetProperty("standard").GetString() == "ok" && s.GetProperty("svix").GetString() == "ok",
                    s.GetRawText()
                )
        );
        Assert.All(
            seen,
            s =>
                Assert.False(
                    s.GetProperty("tampered").GetString() == "ok" || s.GetProperty("otherSecret").GetString() == "ok",
                    s.GetRawText()
                )
        );
        Assert.Contains(seen, s => s.GetProperty("signatures").GetInt32() == 2);
        node.Kill();
        await server.DisposeAsync();
        Directory.Delete(folder, recursive: true);

        async Task PutAsync(string path, object body) =>
            (await http.PutAsJsonAsync("/api/v1/" + path, body)).EnsureSuccessStatusCode();
    }
}
