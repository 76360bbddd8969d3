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
        await Wrk.RunAsync(server.Url, 2, Connections, null, script(0));
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
        using var update = bare.Command(
            """
            UPDATE run SET status = $3, phase = $4, reason = $5, attempt = $6, marker = $7, event_seq = $8,
              failure_code = $9, failure_message = $10, failed_stage = $11,
              progress_millionths = $12, profile = $13, paused_from = $14, updated_at = $15, attempt_at = $16,
              started_at = $17, ended_at = $18,
              deadline_at = $19, total_at = $20, state_until = $21, due_at = $22, claim_at = $23, claim_until = $24,
              claim_seconds = $25, leases_lost = $26, dispatched = $27,
              boot_message = $28, tries = $29 WHERE project = $1 AND id = $2
            """
        );
        using var insert = bare.Command(
            """
            INSERT INTO run_event (project, run, seq, at, type, attempt, actor, credential, from_status, to_status,
              event_id, correlation_id, occurred_at, accepted, code, detail, digest)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            """
        );
        var seqs = ids.Select(id =>
                Convert.ToInt64(
                    bare.Scalar($"SELECT event_seq FROM run WHERE id = '{id}'"),
                    CultureInfo.InvariantCulture
                )
            )
            .ToArray();
        var digest = new byte[32];
        var mark = Guid.NewGuid().ToString("N")[..8];
        return bare.Run(
            perCommit,
            span,
            done =>
            {
                var (place, now) = (done % ids.Length, 1_800_000_000_000_000 + done);
                var seq = ++seqs[place];
                BareFile.Execute(
                    update,
                    project,
                    ids[place],
                    "WORKING",
                    "running",
                    null,
                    1L,
                    now,
                    seq,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    now,
                    now,
                    now,
                    null,
                    now,
                    now,
                    null,
                    null,
                    null,
                    null,
                    0L,
                    0L,
                    0L,
                    1L,
                    0L
                );
                BareFile.Execute(
                    insert,
                    project,
                    ids[place],
                    seq,
                    now,
                    "report",
                    1L,
                    "cbs_01m80t06jve429nf9xf5c8pwcw",
                    "callback_secret",
                    "WORKING",
                    "WORKING",
                    $"{mark}-{done}",
                    "bench",
                    now,
                    1L,
                    null,
                    "{\"actorType\":\"orchestrator\"}",
                    digest
                );
            }
        );
    }
}
