using System.Text.Json;

namespace Postern.Bench;

/// <summary>
/// What a flood of 5,000 refused requests a second costs somebody else: a key's requests beside nothing, beside wrong
/// keys from one address, and beside one token that is over its rate. Limits are the standard ones.
/// </summary>
internal static class FloodMeasurements
{
    private const int Rounds = 3;
    private const int Seconds = 5;

    /// <summary>200 requests a second.</summary>
    private const int Connections = 8;
    private const int PauseMilliseconds = 40;

    /// <summary>5,000 requests a second.</summary>
    private const int FloodConnections = 50;
    private const int FloodPauseMilliseconds = 10;

    public static async Task RunAsync(string folder)
    {
        var settings = new Dictionary<string, string>(Measurements.NoLimits, StringComparer.Ordinal);
        foreach (var limit in (string[])["ProjectBurst", "TokenBurst", "CallbackBurst"])
            settings.Remove("POSTERN_RateLimits__" + limit);
        await using var server = await Child.StartAsync($"serve {folder}/data", settings);
        using var http = Measurements.Client(server, server.RootKey);
        for (var i = 0; i < 50; i++)
            (
                await http.PostAsJsonAsync(
                    "/sessions/bench/messages",
                    new { role = "user", content = new string('x', 200) }
                )
            ).EnsureSuccessStatusCode();
        var minted = await http.PostAsJsonAsync(
            "/api/v1/auth/public-tokens",
            new { scopes = new[] { "read:sessions" } }
        );
        var token = (await minted.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("token").GetString()!;
        var wrong = server.RootKey[..^8] + "aaaaaaaa";
        var url = server.Url + "/sessions/bench/history?limit=50";
        var steady = Script(folder, "steady", PauseMilliseconds);
        var flood = Script(folder, "flood", FloodPauseMilliseconds);

        await Wrk.RunAsync(url, Measurements.WarmSeconds, Connections, server.RootKey, steady);
        var (quiet, beside) = (new List<double>(), new Dictionary<string, List<double>>(StringComparer.Ordinal));
        foreach (
            var (name, credential) in ((string, string)[])[("wrong keys", wrong), ("a token over its rate", token)]
        )
        {
            beside[name] = [];
            var refused = new List<double>();
            for (var round = 0; round < Rounds; round++)
            {
                quiet.Add((await Wrk.RunAsync(url, Seconds, Connections, server.RootKey, steady)).P99Milliseconds);
                var flooding = Wrk.RunAsync(url, Seconds + 1, FloodConnections, credential, flood);
                var mine = await Wrk.RunAsync(url, Seconds, Connections, server.RootKey, steady);
                if (mine.Failed > 0)
                    throw new InvalidOperationException($"{mine.Failed} requests of the key were refused");
                beside[name].Add(mine.P99Milliseconds);
                var theirs = await flooding;
                refused.Add(theirs.Failed / (Seconds + 1.0));
            }
            Measurements.Say(name + ", refused", Measurements.Median(refused), "a second");
        }
        Measurements.Say("a key's 200 requests a second, alone, p99", Measurements.Median(quiet), "ms");
        foreach (var (name, p99) in beside)
            Measurements.Say($"the same beside {name}, p99", Measurements.Median(p99), "ms", "target < twice");
    }

    private static string Script(string folder, string name, int pause)
    {
        var file = $"{folder}/{name}.lua";
        File.WriteAllText(file, $"function delay() return {pause} end\n");
        return file;
    }
}
