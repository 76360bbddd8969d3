using System.Diagnostics;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>The sample that makes a server's bad night does what its first lines promise.</summary>
public sealed class BadNightTests
{
    private const int Loop = 12;

    [Fact]
    public async Task The_bad_night_has_one_of_everything_that_goes_wrong()
    {
        var folder = Directory.CreateTempSubdirectory("postern-night-").FullName;
        await using (var server = await ServerProcess.StartAsync($"--data {folder} --urls http://127.0.0.1:0 --dev"))
        {
            var start = new ProcessStartInfo("sh", [Repository.File("samples/bad-night/bad-night.sh")])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            (start.Environment["U"], start.Environment["KEY"]) = (server.Url, server.RootKey);
            start.Environment["LOOP"] = Loop.ToString(System.Globalization.CultureInfo.InvariantCulture);
            using var script = Process.Start(start)!;
            var (said, faults) = (script.StandardOutput.ReadToEndAsync(), script.StandardError.ReadToEndAsync());
            await script.WaitForExitAsync();
            Assert.True(script.ExitCode == 0, await said + await faults);

            using var http = server.Client(server.RootKey);
            string[] expected = ["dispatch_retry", "awaiting_report", "awaiting_approval", "no_worker"];
            var codes = new HashSet<string>(StringComparer.Ordinal);
            await WaitFor.TrueAsync(
                async () =>
                {
                    codes = await CodesAsync(http);
                    return expected.All(codes.Contains);
                },
                what: "every reason why a run is not done: " + string.Join(' ', codes)
            );
            await WaitFor.TrueAsync(async () =>
                (await http.GetStringAsync("/api/v1/runs?agent=night-wrong-key")).Contains(
                    "401",
                    StringComparison.Ordinal
                )
            );
            var dead = await http.GetStringAsync("/api/v1/deliveries?status=dead&endpoint=night-gone");
            Assert.Contains("404", dead, StringComparison.Ordinal);
            Assert.Equal(Loop, await CountAsync(http, "night-loop"));
            await WaitFor.TrueAsync(async () =>
                (await http.GetStringAsync("/api/v1/audit?limit=200")).Contains("/inbound/", StringComparison.Ordinal)
            );
        }
        Directory.Delete(folder, recursive: true);
    }

    private static async Task<HashSet<string>> CodesAsync(HttpClient http)
    {
        var codes = new HashSet<string>(StringComparer.Ordinal);
        foreach (var run in (await ListAsync(http, "/api/v1/runs?limit=100")).EnumerateArray())
        {
            using var one = JsonDocument.Parse(
                await http.GetStringAsync("/api/v1/runs/" + run.GetProperty("id").GetString())
            );
            if (one.RootElement.TryGetProperty("why", out var why) && why.ValueKind == JsonValueKind.Object)
                codes.Add(why.GetProperty("code").GetString()!);
        }
        return codes;
    }

    private static async Task<int> CountAsync(HttpClient http, string agent) =>
        (await ListAsync(http, "/api/v1/runs?limit=100&agent=" + agent)).GetArrayLength();

    private static async Task<JsonElement> ListAsync(HttpClient http, string path) =>
        JsonSerializer.Deserialize<JsonElement>(await http.GetStringAsync(path)).GetProperty("data");
}
