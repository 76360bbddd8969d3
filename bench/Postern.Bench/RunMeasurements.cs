using System.Globalization;
using System.Text.Json;

namespace Postern.Bench;

/// <summary>
/// Status callbacks: applied over HTTP, durable, against a bare loop that writes the same rows in the same batches.
/// </summary>
internal static class RunMeasurements
{
    private const int Runs = 10_000;
    private const int Rounds = 3;
    private const int Seconds = 5;
    private const int Connections = 64;

    public static async Task CallbacksAsync(string folder)
    {
        string[] ids;
        string key,
            secret;
        await using (var first = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits))
        {
            key = first.RootKey;
            using var maker = Measurements.Client(first, key);
            (ids, secret) = await MakeAsync(maker);
            await first.StopAsync();
        }
        // The limit begins where the server begins: on a copy of the same file.
        for (var i = 0; i < Rounds; i++)
            File.Copy($"{folder}/data/postern.db", $"{folder}/bare{i}.db");

        await using var server = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits);
        using var http = Measurements.Client(server, key);
        var script = Script(folder, ids, secret);
        await Wrk.RunAsync(server.Url, Measurements.WarmSeconds, Connections, null, script(0));
        var rounds = new List<Wrk>();
        for (var round = 1; round <= Rounds; round++)
            rounds.Add(await Wrk.RunAsync(server.Url, Seconds, Connections, null, script(round)));
        if (rounds.Sum(r => r.Failed) > 0)
            throw new InvalidOperationException($"{rounds.Sum(r => r.Failed)} callbacks were refused");
        var applied = (await http.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{ids[0]}/events?limit=500"))
            .GetProperty("data")
            .GetArrayLength();
        if (applied < 2)
            throw new InvalidOperationException("the callbacks were not applied");
        await server.StopAsync();
        var batch = double.Parse(server.Find("batch size  "), CultureInfo.InvariantCulture);
        var limit = Enumerable
            .Range(0, Rounds)
            .Select(i =>
                Bare($"{folder}/bare{i}.db", ids, Math.Max(1, (int)Math.Round(batch)), TimeSpan.FromSeconds(Seconds))
            )
            .ToList();
        Measurements.Say(
            $"applied status callbacks over HTTP, {Runs:#,0} runs",
            Measurements.Median(rounds.Select(r => r.PerSecond)),
            "a second"
        );
        Measurements.Say("callbacks a commit", batch, "");
        Measurements.Say("a bare SQLite loop, the same rows and batch", Measurements.Median(limit), "a second");
        Measurements.Say(
            "ratio",
            100 * Measurements.Median(rounds.Select(r => r.PerSecond)) / Measurements.Median(limit),
            "%",
            "target 45 %"
        );
        Measurements.Say("p99", Measurements.Median(rounds.Select(r => r.P99Milliseconds)), "ms", "target < 25 ms");
    }

    /// <summary>The same on PostgreSQL, against 64 loops at once with a commit a callback.</summary>
    public static async Task CallbacksPostgresAsync(string folder)
    {
        var database = BarePostgres.NewDatabase();
        await using var server = await Child.StartAsync($"serve {folder}/data \"{database}\"", Measurements.NoLimits);
        using var maker = Measurements.Client(server, server.RootKey);
        var (ids, secret) = await MakeAsync(maker);
        await using var bare = await BarePostgres.OpenAsync(database);
        var project = await bare.ScalarAsync<string>("SELECT project FROM run LIMIT 1");
        // Beyond all that the server numbers in between.
        var (seq, mark) = (1_000_000L, Guid.NewGuid().ToString("N")[..8]);
        await bare.CompareAsync(
            "applied status callbacks",
            server.Url,
            Script(folder, ids, secret),
            (_, n) =>
            {
                var next = Interlocked.Increment(ref seq);
                return BareRows.OfCallback(project, ids[n % ids.Length], next, $"{mark}-{next}");
            }
        );
    }

    private static async Task<(string[] Ids, string Secret)> MakeAsync(HttpClient http)
    {
        using var workflow = new StringContent(
            """{"initial":"WORKING","states":{"WORKING":{"phase":"running","to":["DONE"],"self":true},"DONE":"""
                + """{"phase":"succeeded","to":[]}}}"""
        );
        (await http.PutAsync("/api/v1/workflows/bench", workflow)).EnsureSuccessStatusCode();
        var secret = (
            await (await http.PostAsync("/api/v1/callback-secrets", null)).Content.ReadFromJsonAsync<JsonElement>()
        )
            .GetProperty("secret")
            .GetString()!;
        var ids = new string[Runs];
        await Parallel.ForAsync(
            0,
            Runs,
            new ParallelOptions { MaxDegreeOfParallelism = 64 },
            async (i, cancel) =>
            {
                var made = await http.PostAsJsonAsync(
                    "/api/v1/runs",
                    new
                    {
                        agent = "echo",
                        workflow = "bench",
                        start = false,
                    },
                    cancel
                );
                made.EnsureSuccessStatusCode();
                ids[i] = (await made.Content.ReadFromJsonAsync<JsonElement>(cancel)).GetProperty("id").GetString()!;
            }
        );
        return (ids, secret);
    }

    /// <summary>Every request another report, of the next run in turn, at a later instant.</summary>
    private static Func<int, string> Script(string folder, string[] ids, string secret)
    {
        File.WriteAllLines($"{folder}/ids", ids);
        return round =>
        {
            var file = $"{folder}/callbacks{round}.lua";
            File.WriteAllText(
                file,
                $$"""
                local ids = {}
                for line in io.lines("{{folder}}/ids") do ids[#ids + 1] = line end
                local headers = { ["X-Callback-Secret"] = "{{secret}}", ["Content-Type"] = "application/json" }
                local n = 0
                function request()
                  n = n + 1
                  local id = ids[n % #ids + 1]
                  local form = '{"event_id":"{{round}}-%d","status":"WORKING","correlation_id":"bench",'
                    .. '"occurred_at":"2026-01-01T{{round:00}}:%02d:%02d.%06dZ","actor_type":"orchestrator"}'
                  local minutes, seconds = math.floor(n / 6000000) % 60, math.floor(n / 100000) % 60
                  local body = string.format(form, n, minutes, seconds, (n % 100000) * 10)
                  return wrk.format("POST", "/internal/jobs/" .. id .. "/status", headers, body)
                end
                """
            );
            return file;
        };
    }

    /// <summary>
    /// The limit: the run's row and the event's, as a callback writes them, from a loop that does nothing else, on the
    /// same file.
    /// </summary>
    private static double Bare(string file, string[] ids, int perCommit, TimeSpan span)
    {
        using var bare = new BareFile(file);
        var project = (string)bare.Scalar("SELECT project FROM run LIMIT 1")!;
        var seqs = ids.Select(id =>
                Convert.ToInt64(
                    bare.Scalar($"SELECT event_seq FROM run WHERE id = '{id}'"),
                    CultureInfo.InvariantCulture
                )
            )
            .ToArray();
        var mark = Guid.NewGuid().ToString("N")[..8];
        return bare.Run(
            perCommit,
            span,
            done =>
            {
                var place = done % ids.Length;
                bare.Write(BareRows.OfCallback(project, ids[place], ++seqs[place], $"{mark}-{done}"));
            }
        );
    }
}
