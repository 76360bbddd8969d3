using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;

namespace Postern.Bench;

/// <summary>
/// The console over a full project: 10,000 sessions, 100,000 runs, a transcript of 5,000 messages. How long the server
/// takes for each page, beside the JSON route of the same content where there is one; what a first view weighs; how
/// soon a message is in an open page; what an open page costs.
/// </summary>
internal static class ConsoleMeasurements
{
    private const int Sessions = 10_000;
    private const int Runs = 100_000;
    private const int Messages = 5_000;
    private const int Times = 100;
    private const int OpenPages = 1_000;

    /// <summary>A page that is open has what there is: it waits for what comes.</summary>
    private const int FromTheEnd = 1_000_000_000;

    /// <summary>A key has at most 20 sessions, and a session at most four live pages.</summary>
    private const int SessionsOfKey = 20;
    private const int PagesOfSession = 4;

    public static async Task RunAsync(string folder)
    {
        string key;
        await using (var first = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits))
        {
            key = first.RootKey;
            using var maker = Measurements.Client(first, key);
            await FillAsync(maker);
            await first.StopAsync();
        }
        Spread($"{folder}/data/postern.db");
        await using var server = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits);
        using var http = Measurements.Client(server, key);
        var session = await IdOfAsync(http, "/api/v1/sessions/big");
        var visitors = new List<ConsoleVisitor>();
        for (var i = 0; i < SessionsOfKey - 1; i++)
            visitors.Add(await ConsoleVisitor.SignInAsync(server.Url, key));
        await PagesAsync(http, visitors, session);
        foreach (var (path, target) in ((string, string)[])[("", "65 KB"), ("/runs", "40 KB"), ("/sessions", "40 KB")])
            await WeightAsync(visitors[0], path, target);
        await WeightAsync(visitors[0], "/sessions/" + session, "40 KB");
        await LatencyAsync(http, visitors[0], session);
        await ChangedAsync(http, visitors);
        await ConsoleBrowserMeasurements.RunAsync(http, server.Url, key, session);
        await server.StopAsync();
        await MemoryAsync(folder, key, session);
    }

    /// <summary>The open pages alone, over the same transcript without anything else.</summary>
    public static async Task MemoryAsync(string folder)
    {
        string key,
            session;
        await using (var first = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits))
        {
            key = first.RootKey;
            using var maker = Measurements.Client(first, key);
            await SessionsAsync(maker, 1);
            await MessagesAsync(maker);
            session = await IdOfAsync(maker, "/api/v1/sessions/big");
            await first.StopAsync();
        }
        await MemoryAsync(folder, key, session);
    }

    private static async Task FillAsync(HttpClient http)
    {
        await SessionsAsync(http, Sessions);
        // With the sessions their own.
        await ManyAsync(
            Runs - Sessions,
            i =>
                http.PostAsJsonAsync(
                    "/api/v1/runs",
                    new
                    {
                        agent = "idle",
                        start = false,
                        tags = new[] { "batch-" + (i % 100) },
                    }
                )
        );
        await MessagesAsync(http);
    }

    private static async Task SessionsAsync(HttpClient http, int count)
    {
        (await http.PutAsJsonAsync("/api/v1/agents/idle", new { kind = "pull" })).EnsureSuccessStatusCode();
        await ManyAsync(
            count,
            i =>
                http.PostAsJsonAsync(
                    "/api/v1/sessions",
                    new
                    {
                        type = "chat",
                        externalId = i == 0 ? "big" : $"customer-{i}",
                        taskIdentifier = "idle",
                        tags = new[] { "plan-" + (i % 7) },
                        triggerConfig = new { basePayload = new { } },
                    }
                )
        );
    }

    private static async Task MessagesAsync(HttpClient http)
    {
        for (var i = 0; i < Messages; i++)
            (
                await http.PostAsJsonAsync(
                    "/sessions/big/messages",
                    new { role = i % 2 == 0 ? "user" : "assistant", content = $"Message {i}. " + new string('x', 180) }
                )
            ).EnsureSuccessStatusCode();
    }

    private static Task ManyAsync(int count, Func<int, Task<HttpResponseMessage>> send) =>
        Parallel.ForEachAsync(
            Enumerable.Range(0, count),
            new ParallelOptions { MaxDegreeOfParallelism = 64 },
            async (i, _) =>
            {
                using var answer = await send(i);
                answer.EnsureSuccessStatusCode();
            }
        );

    /// <summary>The runs over two days, and what became of most of them: as in a project that has worked.</summary>
    private static void Spread(string file)
    {
        using var database = new BareFile(file);
        database.Scalar(
            """
            WITH placed AS (SELECT project, id, ROW_NUMBER() OVER (ORDER BY created_at, id) AS n FROM run
                            WHERE session IS NULL)
            UPDATE run SET created_at = run.created_at - (100000 - placed.n) * 1700000,
              ended_at = CASE WHEN placed.n % 50 = 0 THEN NULL ELSE run.created_at END,
              phase = CASE WHEN placed.n % 50 = 0 THEN 'queued' WHEN placed.n % 9 = 0 THEN 'failed'
                           ELSE 'succeeded' END,
              status = CASE WHEN placed.n % 50 = 0 THEN 'queued' WHEN placed.n % 9 = 0 THEN 'failed'
                            ELSE 'succeeded' END,
              failure_code = CASE WHEN placed.n % 9 = 0 THEN 'model_error' END,
              failure_message = CASE WHEN placed.n % 9 = 0 THEN 'The model is loading now, try ' || placed.n END
            FROM placed WHERE placed.project = run.project AND placed.id = run.id
            """
        );
    }

    private static async Task PagesAsync(HttpClient http, List<ConsoleVisitor> visitors, string session)
    {
        var run = (await http.GetFromJsonAsync<JsonElement>("/api/v1/runs?limit=1")).GetProperty("data")[0];
        var id = run.GetProperty("id").GetString();
        (string Path, string? Api, double Target)[] pages =
        [
            ("", null, 25),
            ("?chart=latency&span=48h", null, 25),
            ("/runs", "/api/v1/runs?limit=50", 25),
            ("/runs?phase=failed", "/api/v1/runs?limit=50&phase=failed", 25),
            ("/runs?stuck=true", null, 25),
            ("/runs?text=try%2017", null, 300),
            ("/runs?text=nowhere-at-all", null, 300),
            ("/runs/" + id, "/api/v1/runs/" + id, 25),
            ("/sessions", "/api/v1/sessions?page[size]=50", 25),
            ("/sessions?text=customer-99", null, 300),
            ("/sessions/" + session, $"/api/v1/sessions/{session}/transcript?limit=100", 25),
            ($"/sessions/{session}?text=nowhere-at-all", null, 300),
            ($"/sessions/{session}?at=2500", null, 25),
            ("/approvals", "/api/v1/approvals?status=pending", 25),
            ("/deliveries", "/api/v1/deliveries?limit=50", 25),
            ("/triggers", "/api/triggers", 25),
            ("/agents", null, 25),
            ("/doors", null, 25),
            ("/keys", "/api/v1/keys", 25),
            ("/audit", "/api/v1/audit?limit=50", 25),
            ("/server", null, 25),
            ("/find?q=" + id![..12], null, 25),
        ];
        foreach (var (path, api, target) in pages)
        {
            var (bytes, page) = await TimesAsync(i => visitors[i % visitors.Count].GetAsync("/console" + path));
            var beside = api is null ? "" : Ratio(page, (await TimesAsync(_ => BytesAsync(http, api))).Milliseconds);
            Measurements.Say($"page {path} ({bytes:#,0} bytes), p95", page, "ms", $"target {target} ms{beside}");
        }
    }

    private static string Ratio(double page, double json) =>
        string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"; JSON {json:0.##} ms, {page / json:0.#} times"
        );

    private static async Task<int> BytesAsync(HttpClient http, string path) =>
        (await http.GetByteArrayAsync(path)).Length;

    /// <summary>One after another: the bytes of an answer, and the p95 of the time until its last byte.</summary>
    private static async Task<(int Bytes, double Milliseconds)> TimesAsync(Func<int, Task<int>> get)
    {
        var bytes = 0;
        for (var i = 0; i < 10; i++)
            bytes = await get(i);
        var times = new List<double>(Times);
        for (var i = 0; i < Times; i++)
        {
            var began = Stopwatch.GetTimestamp();
            await get(i);
            times.Add(Elapsed(began));
        }
        return (bytes, P95(times));
    }

    private static double P95(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count * 95 / 100];
    }

    private static async Task WeightAsync(ConsoleVisitor visitor, string path, string target)
    {
        var (bytes, requests) = await visitor.FirstViewAsync("/console" + path);
        Measurements.Say(
            $"first view of {(path.Length == 0 ? "the overview" : path.Split("session_")[0])}, {requests} requests",
            bytes / 1024.0,
            "KiB",
            $"target {target}, 10 requests"
        );
    }

    /// <summary>From before the sending of a message until an open page has been told of it.</summary>
    private static async Task LatencyAsync(HttpClient http, ConsoleVisitor visitor, string session)
    {
        using var stream = await visitor.OpenAsync($"/console/sessions/{session}/live?after={Messages}");
        await stream.UntilAsync(": ");
        var times = new List<double>();
        for (var i = 0; i < Times; i++)
        {
            var text = $"seen by the page {i}.";
            var began = Stopwatch.GetTimestamp();
            var sent = http.PostAsJsonAsync("/sessions/big/messages", new { role = "user", content = text });
            await stream.UntilAsync(text);
            times.Add(Elapsed(began));
            (await sent).EnsureSuccessStatusCode();
        }
        Measurements.Say("a message, sent and in an open page, p95", P95(times), "ms", "target 150 ms");
    }

    /// <summary>
    /// Pages of one transcript, on a server of their own. Garbage is collected before each look: a page costs what it
    /// holds, not what signing in and opening leave behind.
    /// </summary>
    private static async Task MemoryAsync(string folder, string key, string session)
    {
        await using var server = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits);
        using var http = Measurements.Client(server, key);
        var visitors = await ViewersAsync(http, server);
        foreach (var visitor in visitors)
            await visitor.GetAsync("/console/sessions/" + session);
        var before = await server.HeldKibAsync();
        var open = new List<ConsoleStream>();
        foreach (var visitor in visitors)
            for (var i = 0; i < PagesOfSession; i++)
            {
                var stream = await visitor.OpenAsync($"/console/sessions/{session}/live?after={FromTheEnd}");
                open.Add(stream);
            }
        // Those that are open have said their first words.
        await Task.WhenAll(open.Select(stream => stream.UntilAsync("retry:")));
        Measurements.Say(
            $"an open page, {open.Count:#,0} on one transcript, resident",
            (await server.HeldKibAsync() - before) / (double)open.Count,
            "KiB",
            "target 16 KiB"
        );
        // All of them live: each is told.
        const string text = "Everybody sees this.";
        var told = open.Select(stream => stream.UntilAsync(text)).ToList();
        var began = Stopwatch.GetTimestamp();
        var sent = await http.PostAsJsonAsync("/sessions/big/messages", new { role = "user", content = text });
        sent.EnsureSuccessStatusCode();
        await Task.WhenAll(told);
        Measurements.Say("a message, until the last of them has it", Elapsed(began), "ms");
        foreach (var stream in open)
            stream.Dispose();
    }

    /// <summary>As many sessions as the pages need: a key has few, and a session has few pages.</summary>
    private static async Task<List<ConsoleVisitor>> ViewersAsync(HttpClient http, Child server)
    {
        var visitors = new List<ConsoleVisitor>();
        while (visitors.Count < OpenPages / PagesOfSession)
        {
            var made = await http.PostAsJsonAsync(
                "/api/v1/keys",
                new { name = "viewer", scopes = new[] { "read:sessions" } }
            );
            var key = (await made.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("key").GetString()!;
            for (var i = 0; i < SessionsOfKey && visitors.Count < OpenPages / PagesOfSession; i++)
                visitors.Add(await ConsoleVisitor.SignInAsync(server.Url, key));
        }
        return visitors;
    }

    /// <summary>The list of runs when a run has changed since it was last counted.</summary>
    private static async Task ChangedAsync(HttpClient http, List<ConsoleVisitor> visitors)
    {
        var times = new List<double>(Times);
        for (var i = 0; i < Times; i++)
        {
            var made = await http.PostAsJsonAsync("/api/v1/runs", new { agent = "idle", start = false });
            made.EnsureSuccessStatusCode();
            var began = Stopwatch.GetTimestamp();
            await visitors[i % visitors.Count].GetAsync("/console/runs");
            times.Add(Elapsed(began));
        }
        Measurements.Say("page /runs after each change of a run, p95", P95(times), "ms", "target 25 ms");
    }

    private static double Elapsed(long began) => Stopwatch.GetElapsedTime(began).TotalMilliseconds;

    private static async Task<string> IdOfAsync(HttpClient http, string path) =>
        (await http.GetFromJsonAsync<JsonElement>(path)).GetProperty("id").GetString()!;
}
