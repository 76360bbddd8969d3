using System.Globalization;
using System.Net.Http.Headers;
using Postern.Support;

namespace Postern.Bench;

/// <summary>The measurements, each against its limit in the same run, in rounds that alternate.</summary>
internal static class Measurements
{
    private const int Rounds = 3;
    private const int Seconds = 5;
    private const int Connections = 64;

    /// <summary>
    /// How long a server is under load before it is measured. Meanwhile the runtime compiles again what runs often; a
    /// server runs for days.
    /// </summary>
    public const int WarmSeconds = 15;

    public static async Task<int> RunAsync(string[] only)
    {
        var all = new (string Name, Func<string, Task> Measure)[]
        {
            ("history", HistoryAsync),
            ("append", AppendAsync),
            ("append-postgres", AppendPostgresAsync),
            ("streams", StreamMeasurements.RunAsync),
            ("start", StartAsync),
            ("callbacks", RunMeasurements.CallbacksAsync),
            ("callbacks-postgres", RunMeasurements.CallbacksPostgresAsync),
            ("deliveries", DeliveryMeasurements.RunAsync),
            ("inbound", InboundMeasurements.RunAsync),
            ("inbound-postgres", InboundMeasurements.PostgresAsync),
            ("approvals", ApprovalMeasurements.DecisionsAsync),
            ("approvals-postgres", ApprovalMeasurements.DecisionsPostgresAsync),
            ("waiters", ApprovalMeasurements.WaitersAsync),
            ("flood", FloodMeasurements.RunAsync),
            ("idle-postgres", NodeMeasurements.IdleAsync),
            ("upgrade", NodeMeasurements.UpgradeAsync),
            ("costs", CostMeasurements.RunAsync),
            ("partitions", PartitionMeasurements.RunAsync),
            ("relay", RelayMeasurements.RunAsync),
            ("relay-postgres", RelayMeasurements.PostgresAsync),
            ("console", ConsoleMeasurements.RunAsync),
            ("console-memory", ConsoleMeasurements.MemoryAsync),
        };
        foreach (var (name, measure) in all.Where(m => only.Length == 0 || only.Contains(m.Name)))
        {
            var folder = Directory.CreateTempSubdirectory("postern-bench-").FullName;
            Console.WriteLine("== " + name);
            await measure(folder);
            Directory.Delete(folder, recursive: true);
        }
        return 0;
    }

    public static readonly Dictionary<string, string> NoLimits = new(StringComparer.Ordinal)
    {
        ["POSTERN_RateLimits__ProjectBurst"] = "0",
        ["POSTERN_RateLimits__TokenBurst"] = "0",
        ["POSTERN_RateLimits__CallbackBurst"] = "0",
        ["POSTERN_MASTER_KEY"] = "a master key for the benchmark, long enough",
        ["POSTERN_Log__Level"] = "Warning",
    };

    public static HttpClient Client(Child server, string key)
    {
        var client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 20_000 })
        {
            BaseAddress = new Uri(server.Url),
            Timeout = TimeSpan.FromMinutes(5),
        };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    public static void Say(string what, double value, string unit, string target = "") =>
        Console.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"{what, -58} {value, 12:#,0.##} {unit, -10} {target}")
        );

    /// <summary>History, 50 of 500 messages of 200 bytes, against the same bytes from a bare endpoint.</summary>
    private static async Task HistoryAsync(string folder)
    {
        await using var server = await Child.StartAsync($"serve {folder}/data", NoLimits);
        using var http = Client(server, server.RootKey);
        for (var i = 0; i < 500; i++)
            (
                await http.PostAsJsonAsync(
                    "/sessions/bench/messages",
                    new { role = "user", content = new string('x', 200) }
                )
            ).EnsureSuccessStatusCode();
        const string path = "/sessions/bench/history?limit=50";
        var bytes = await http.GetByteArrayAsync(path);
        await File.WriteAllBytesAsync($"{folder}/bytes", bytes);
        await using var bare = await Child.StartAsync($"bare {folder}/bytes");
        var (ours, limit) = (new List<double>(), new List<double>());
        await Wrk.RunAsync(server.Url + path, WarmSeconds, Connections, server.RootKey);
        await Wrk.RunAsync(bare.Url + "/bytes", WarmSeconds, Connections);
        for (var round = 0; round < Rounds; round++)
        {
            var mine = await Wrk.RunAsync(server.Url + path, Seconds, Connections, server.RootKey);
            if (mine.Failed > 0)
                throw new InvalidOperationException($"{mine.Failed} requests failed");
            ours.Add(mine.PerSecond);
            limit.Add((await Wrk.RunAsync(bare.Url + "/bytes", Seconds, Connections)).PerSecond);
        }
        Say($"history limit=50 ({bytes.Length:#,0} bytes)", Median(ours), "req/s");
        Say("the same bytes from a bare endpoint", Median(limit), "req/s");
        Say("ratio", 100 * Median(ours) / Median(limit), "%", "target 60 %");
    }

    /// <summary>
    /// Durable appends of 200 bytes over 64 connections, against a bare loop with the same row and the same batch.
    /// </summary>
    private static async Task AppendAsync(string folder)
    {
        await using var server = await Child.StartAsync($"serve {folder}/data", NoLimits);
        using var http = Client(server, server.RootKey);
        await StartSessionAsync(http);
        var url = server.Url + "/realtime/v1/sessions/bench/out/append";
        var script = Wrk.Post(folder, 200);
        await Wrk.RunAsync(url, WarmSeconds, Connections, server.RootKey, script);
        var runs = new List<Wrk>();
        for (var round = 0; round < Rounds; round++)
            runs.Add(await Wrk.RunAsync(url, Seconds, Connections, server.RootKey, script));
        if (runs.Sum(r => r.Failed) > 0)
            throw new InvalidOperationException("appends failed");
        await server.StopAsync();
        var batch = double.Parse(server.Find("batch size  "), CultureInfo.InvariantCulture);
        var limit = Enumerable
            .Range(0, Rounds)
            .Select(i =>
            {
                var own = Directory.CreateDirectory($"{folder}/bare{i}").FullName;
                return BareLoops.Sqlite(own, Math.Max(1, (int)Math.Round(batch)), 240, TimeSpan.FromSeconds(Seconds));
            })
            .ToList();
        Say("durable appends over HTTP, 64 connections, SQLite", Median(runs.Select(r => r.PerSecond)), "rows/s");
        Say("rows a commit", batch, "rows");
        Say("a bare SQLite loop, the same row and batch", Median(limit), "rows/s");
        Say("ratio", 100 * Median(runs.Select(r => r.PerSecond)) / Median(limit), "%", "target 50 %");
        Say("p99", Median(runs.Select(r => r.P99Milliseconds)), "ms", "target < 20 ms");
        await File.WriteAllBytesAsync($"{folder}/bytes", []);
        await using var bare = await Child.StartAsync($"bare {folder}/bytes");
        await Wrk.RunAsync(bare.Url + "/post", WarmSeconds, Connections, null, script);
        Say(
            "the same POST to a bare endpoint that does nothing",
            (await Wrk.RunAsync(bare.Url + "/post", Seconds, Connections, null, script)).PerSecond,
            "req/s"
        );
    }

    private static async Task AppendPostgresAsync(string folder)
    {
        var database = PostgresServer.NewDatabase() + ";Max Auto Prepare=64";
        await using var server = await Child.StartAsync($"serve {folder}/data \"{database}\"", NoLimits);
        using var http = Client(server, server.RootKey);
        // A session a connection: appends to one session are put in one order by its row.
        var ids = new List<string>();
        for (var i = 0; i < Connections; i++)
            ids.Add(await StartSessionAsync(http, "bench" + i));
        var script = AppendsOfManySessions(folder, server.RootKey, Connections);
        await Wrk.RunAsync(server.Url, WarmSeconds, Connections, null, script);
        var (runs, limit) = (new List<Wrk>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            runs.Add(await Wrk.RunAsync(server.Url, Seconds, Connections, null, script));
            limit.Add(
                await BareLoops.PostgresAsync(
                    PostgresServer.NewDatabase() + ";Max Auto Prepare=64;Maximum Pool Size=64",
                    Connections,
                    240,
                    TimeSpan.FromSeconds(Seconds)
                )
            );
        }
        if (runs.Sum(r => r.Failed) > 0)
            throw new InvalidOperationException("appends failed");
        Say("durable appends over HTTP, 64 connections, PostgreSQL", Median(runs.Select(r => r.PerSecond)), "rows/s");
        Say("64 bare Npgsql loops, the same row, a commit a row", Median(limit), "rows/s");
        Say("ratio", 100 * Median(runs.Select(r => r.PerSecond)) / Median(limit), "%", "target 50 %");
        Say("p99", Median(runs.Select(r => r.P99Milliseconds)), "ms", "target < 20 ms");
    }

    /// <summary>
    /// From the start of the process to its first answer on an existing data folder, and what it holds when idle; then
    /// the same with 100,000 revocations to read.
    /// </summary>
    private static async Task StartAsync(string folder)
    {
        await using (var first = await Child.StartAsync($"serve {folder}/data", NoLimits))
            await first.StopAsync();
        var (ready, resident) = await ReadyAsync(folder);
        Say("ready after", ready, "ms", "target < 1000 ms");
        Say("resident when idle", resident, "MiB", "target < 120 MB");
        using (var file = new BareFile($"{folder}/data/postern.db"))
        {
            file.Scalar(
                """
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                INSERT INTO revocation (project, kind, value, until, changed)
                SELECT (SELECT id FROM project), 'jti', 'old-' || i, 4000000000000000, i FROM n
                """
            );
            file.Scalar("UPDATE meta SET number = 100000 WHERE name = 'access_version'");
        }
        (ready, resident) = await ReadyAsync(folder);
        Say("ready after, with 100,000 revocations", ready, "ms", "target < 2000 ms more");
        Say("resident when idle", resident, "MiB");
    }

    private static async Task<(double Milliseconds, double Mebibytes)> ReadyAsync(string folder)
    {
        var times = new List<double>();
        long resident = 0;
        for (var round = 0; round < 5; round++)
        {
            await using var server = await Child.StartAsync($"serve {folder}/data", NoLimits);
            using var http = new HttpClient();
            (await http.GetAsync(server.Url + "/readyz")).EnsureSuccessStatusCode();
            times.Add(server.Started.Elapsed.TotalMilliseconds);
            await Task.Delay(3000);
            resident = server.ResidentKib();
        }
        return (Median(times), resident / 1024.0);
    }

    /// <summary>A script of wrk: appends of 200 bytes to the sessions <c>bench0</c>, <c>bench1</c> … in turn.</summary>
    public static string AppendsOfManySessions(string folder, string key, int sessions)
    {
        var script = Path.Combine(folder, "many.lua");
        File.WriteAllText(
            script,
            $$"""
            local n = 0
            function request()
              n = (n + 1) % {{sessions}}
              local headers = { ["Authorization"] = "Bearer {{key}}", ["Content-Type"] = "text/plain" }
              local path = "/realtime/v1/sessions/bench" .. n .. "/out/append"
              return wrk.format("POST", path, headers, string.rep("x", 200))
            end
            """
        );
        return script;
    }

    public static async Task<string> StartSessionAsync(HttpClient http, string externalId = "bench")
    {
        var answer = await http.PostAsJsonAsync(
            "/api/v1/sessions",
            new
            {
                type = "chat",
                externalId,
                taskIdentifier = "echo",
                triggerConfig = new { basePayload = new { }, idleTimeoutInSeconds = 3600 },
            }
        );
        answer.EnsureSuccessStatusCode();
        return externalId;
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }
}
