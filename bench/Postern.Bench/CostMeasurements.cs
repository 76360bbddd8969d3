using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Npgsql;
using Postern.Support;

namespace Postern.Bench;

/// <summary>
/// What one operation of each kind costs a node and its PostgreSQL: processor time of both, round trips, transactions,
/// rows and bytes of the write-ahead log. Processor time is little disturbed by what else a machine does; rates are.
/// </summary>
internal static class CostMeasurements
{
    private const int Times = 3_000;
    private const int AtOnce = 16;

    /// <summary>One kind of work.</summary>
    /// <param name="Name">As a user would call it.</param>
    /// <param name="Do">Does it once: the server, the number of the time, what <paramref name="Prepare"/> made.</param>
    /// <param name="Prepare">Makes what it needs, before anything is counted.</param>
    private sealed record Kind(
        string Name,
        Func<HttpClient, int, string[], Task> Do,
        Func<HttpClient, Task<string[]>>? Prepare = null
    );

    private static readonly Kind[] Kinds =
    [
        new("nothing (a refused request)", (http, _, _) => AskAsync(http, HttpMethod.Get, "/api/v1/none", null, 404)),
        new("append of 200 bytes", AppendAsync, SessionsAsync),
        new("page of history, 50 messages", PageAsync, HistoryAsync),
        new("client's message and the run that it starts", MessageAsync, SessionsAsync),
        new("run made, claimed, reported twice", RunAsync),
        new("status callback", CallbackAsync, RunsAsync),
        new("captured webhook, signed, with its run", CaptureAsync, TriggersAsync),
        new("question asked", AskedAsync, RunsAsync),
        new("decision, signed", DecideAsync, QuestionsAsync),
    ];

    private static string _callbackSecret = "";

    public static async Task RunAsync(string folder)
    {
        Console.WriteLine(
            $"{"one of", -46}{"node µs", 9}{"db µs", 8}{"trips", 7}{"commits", 9}{"rows", 7}{"WAL bytes", 11}"
        );
        foreach (var kind in Kinds)
            await MeasureAsync($"{folder}/{Array.IndexOf(Kinds, kind)}", kind);
    }

    private static async Task MeasureAsync(string folder, Kind kind)
    {
        var postgres = PostgresServer.Own();
        var database = postgres.CreateDatabase();
        var settings = new Dictionary<string, string>(Measurements.NoLimits);
        string key;
        string[] made;
        await using (var first = await Child.StartAsync($"serve {folder} \"{database}\"", settings))
        {
            key = first.RootKey;
            using var maker = Measurements.Client(first, key);
            await PutAsync(maker, "/api/v1/agents/idle", new { kind = "pull" });
            await PutAsync(maker, "/api/v1/approval-services/default", new { secrets = new[] { Webhooks.Secret } });
            _callbackSecret = (await PostAsync(maker, "/api/v1/callback-secrets", new { }))
                .GetProperty("secret")
                .GetString()!;
            made = kind.Prepare is null ? [] : await kind.Prepare(maker);
        }
        await using var server = await Child.StartAsync($"serve {folder} \"{database}\"", settings);
        using var http = Measurements.Client(server, key);
        await DoAsync(http, kind, made, 0, Times / 2);
        await using var look = new NpgsqlConnection(database);
        await look.OpenAsync();
        var before = await TakenAsync(look, server, postgres);
        await DoAsync(http, kind, made, Times / 2, Times);
        var after = await TakenAsync(look, server, postgres);
        var each = before.Zip(after, (b, a) => (a - b) / Times).ToArray();
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{kind.Name, -46}{each[0], 9:#,0}{each[1], 8:#,0}{each[2], 7:0.0}{each[3], 9:0.00}{each[4], 7:0.0}"
                    + $"{each[5], 11:#,0}"
            )
        );
        NpgsqlConnection.ClearAllPools();
        postgres.Dispose();
    }

    private static Task DoAsync(HttpClient http, Kind kind, string[] made, int from, int times) =>
        Parallel.ForAsync(
            from,
            from + times,
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
            async (i, _) => await kind.Do(http, i, made)
        );

    /// <summary>
    /// Since the start: microseconds of the node, of the database, round trips, commits, rows written, bytes of log.
    /// </summary>
    private static async Task<double[]> TakenAsync(NpgsqlConnection look, Child server, PostgresServer postgres)
    {
        // A backend tells of its commits within a second after it has come to rest.
        await Task.Delay(2_000);
        var trips = await server.AskAsync("round trips  ");
        await using var command = new NpgsqlCommand(
            """
            SELECT xact_commit::float8, (tup_inserted + tup_updated + tup_deleted)::float8,
              pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8
            FROM pg_stat_database WHERE datname = current_database()
            """,
            look
        );
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return
        [
            server.ProcessorTime.TotalMicroseconds,
            postgres.ProcessorTime.TotalMicroseconds,
            double.Parse(trips, CultureInfo.InvariantCulture),
            reader.GetDouble(0),
            reader.GetDouble(1),
            reader.GetDouble(2),
        ];
    }

    private static Task AppendAsync(HttpClient http, int i, string[] sessions) =>
        AskAsync(
            http,
            HttpMethod.Post,
            $"/realtime/v1/sessions/{sessions[i % sessions.Length]}/out/append",
            new StringContent(new string('x', 200)),
            200
        );

    private static Task PageAsync(HttpClient http, int i, string[] sessions) =>
        AskAsync(http, HttpMethod.Get, $"/sessions/{sessions[i % sessions.Length]}/history?limit=50", null, 200);

    private static Task MessageAsync(HttpClient http, int i, string[] sessions) =>
        AskAsync(
            http,
            HttpMethod.Post,
            $"/realtime/v1/sessions/{sessions[i]}/in/append",
            JsonContent.Create(
                new
                {
                    kind = "message",
                    payload = new
                    {
                        chatId = sessions[i],
                        trigger = "submit-message",
                        message = new
                        {
                            role = "user",
                            parts = new[] { new { type = "text", text = "Go on, please." } },
                        },
                    },
                }
            ),
            200
        );

    private static async Task RunAsync(HttpClient http, int i, string[] made)
    {
        await PostAsync(http, "/api/v1/runs", new { agent = "idle" });
        var claimed = await PostAsync(http, "/api/v1/agents/idle/claim", new { waitSeconds = 5 });
        var run = claimed.GetProperty("data")[0].GetProperty("run").GetProperty("id").GetString();
        await PostAsync(http, $"/api/v1/runs/{run}/status", new { status = "running" });
        await PostAsync(http, $"/api/v1/runs/{run}/status", new { status = "succeeded" });
    }

    private static Task CallbackAsync(HttpClient http, int i, string[] runs)
    {
        var content = JsonContent.Create(
            new
            {
                event_id = "e" + i,
                status = "WORKING",
                correlation_id = "bench",
                occurred_at = $"2026-01-01T00:{i / 60 % 60:00}:{i % 60:00}Z",
                actor_type = "orchestrator",
            }
        );
        content.Headers.Add("X-Callback-Secret", _callbackSecret);
        return AskAsync(http, HttpMethod.Post, $"/internal/jobs/{runs[i % runs.Length]}/status", content, 204);
    }

    private static Task CaptureAsync(HttpClient http, int i, string[] triggers)
    {
        var body = """{"action":"opened","issue":{"number":""" + i + ""","title":"It breaks when it is full"}}""";
        var content = Signed(body, "X-Hub-Signature-256", "sha256=");
        content.Headers.Add("X-GitHub-Event", "issues");
        content.Headers.Add("X-GitHub-Delivery", "d" + i);
        return AskAsync(http, HttpMethod.Post, "/inbound/" + triggers[i % triggers.Length], content, 200);
    }

    private static Task AskedAsync(HttpClient http, int i, string[] runs) =>
        AskAsync(
            http,
            HttpMethod.Post,
            $"/api/v1/executions/{runs[i]}/request-approval",
            JsonContent.Create(new { approval_request_id = "q" + i, title = "May it go on?" }),
            200
        );

    private static Task DecideAsync(HttpClient http, int i, string[] questions) =>
        AskAsync(
            http,
            HttpMethod.Post,
            "/api/v1/webhooks/approval-response",
            Signed($"{{\"requestId\":\"{questions[i]}\",\"decision\":\"approved\"}}", "X-Hax-Signature", "sha256="),
            200
        );

    private static Task<string[]> SessionsAsync(HttpClient http) =>
        MakeAsync(async i =>
        {
            await PostAsync(
                http,
                "/api/v1/sessions",
                new
                {
                    type = "chat",
                    externalId = "s" + i,
                    taskIdentifier = "idle",
                    triggerConfig = new { basePayload = new { }, idleTimeoutInSeconds = 3600 },
                }
            );
            return "s" + i;
        });

    private static async Task<string[]> HistoryAsync(HttpClient http)
    {
        for (var i = 0; i < 100; i++)
            await PostAsync(http, "/sessions/h/messages", new { role = "user", content = new string('x', 200) });
        return ["h"];
    }

    private static async Task<string[]> RunsAsync(HttpClient http)
    {
        await PutAsync(
            http,
            "/api/v1/workflows/bench",
            new
            {
                initial = "WORKING",
                states = new Dictionary<string, object>
                {
                    ["WORKING"] = new
                    {
                        phase = "running",
                        to = new[] { "DONE" },
                        self = true,
                    },
                    ["DONE"] = new { phase = "succeeded", to = Array.Empty<string>() },
                },
            }
        );
        return await MakeAsync(async _ => (
                await PostAsync(
                    http,
                    "/api/v1/runs",
                    new
                    {
                        agent = "idle",
                        workflow = "bench",
                        start = false,
                    }
                )
            ).GetProperty("id").GetString()!);
    }

    private static async Task<string[]> QuestionsAsync(HttpClient http)
    {
        var runs = await RunsAsync(http);
        await Parallel.ForAsync(
            0,
            runs.Length,
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
            async (i, _) => await AskedAsync(http, i, runs)
        );
        return [.. Enumerable.Range(0, runs.Length).Select(i => "q" + i)];
    }

    private static async Task<string[]> TriggersAsync(HttpClient http)
    {
        await Webhooks.MakeTriggersAsync(http, 20);
        return [.. Enumerable.Range(0, 20).Select(i => "user/bench/t" + i)];
    }

    private static async Task<string[]> MakeAsync(Func<int, Task<string>> make)
    {
        var made = new string[Times * 3 / 2];
        await Parallel.ForAsync(
            0,
            made.Length,
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
            async (i, _) => made[i] = await make(i)
        );
        return made;
    }

    private static StringContent Signed(string body, string header, string prefix)
    {
        var content = new StringContent(body, new MediaTypeHeaderValue("application/json"));
        var mac = HMACSHA256.HashData(Encoding.UTF8.GetBytes(Webhooks.Secret), Encoding.UTF8.GetBytes(body));
        content.Headers.Add(header, prefix + Convert.ToHexStringLower(mac));
        return content;
    }

    private static async Task<JsonElement> PostAsync(HttpClient http, string path, object body)
    {
        using var answer = await http.PostAsJsonAsync(path, body);
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static async Task PutAsync(HttpClient http, string path, object body)
    {
        using var answer = await http.PutAsJsonAsync(path, body);
        answer.EnsureSuccessStatusCode();
    }

    private static async Task AskAsync(HttpClient http, HttpMethod method, string path, HttpContent? body, int expected)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body };
        using var answer = await http.SendAsync(request);
        if ((int)answer.StatusCode / 100 != expected / 100)
            throw new InvalidOperationException(
                $"{method} {path} was answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}"
            );
    }
}
