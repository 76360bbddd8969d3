using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Postern.Bench;

/// <summary>
/// Decisions through the signed door against a bare loop that writes the same rows in the same batches; and how soon
/// the last of many who wait is told.
/// </summary>
internal static class ApprovalMeasurements
{
    private const int WarmUps = 3;
    private const int Rounds = 3;
    private const int Seconds = 2;
    private const int Connections = 64;

    /// <summary>Waiting runs for each round, more than it decides: at least ten thousand wait all the time.</summary>
    private const int Slice = 30_000;

    public static async Task DecisionsAsync(string folder)
    {
        await using (var first = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits))
        {
            using var maker = Measurements.Client(first, first.RootKey);
            await MakeAsync(maker, Slice * (WarmUps + Rounds));
            await first.StopAsync();
        }
        // The limit begins where the server begins: on a copy of the same file.
        for (var i = 0; i < Rounds; i++)
            File.Copy($"{folder}/data/postern.db", $"{folder}/bare{i}.db");

        await using var server = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits);
        for (var slice = 0; slice < WarmUps; slice++)
            await Wrk.RunAsync(server.Url, Seconds, Connections, null, Script(folder, slice));
        var rounds = new List<Wrk>();
        for (var slice = WarmUps; slice < WarmUps + Rounds; slice++)
            rounds.Add(await Wrk.RunAsync(server.Url, Seconds, Connections, null, Script(folder, slice)));
        if (rounds.Sum(r => r.Failed) > 0)
            throw new InvalidOperationException(
                $"{rounds.Sum(r => r.Failed)} decisions were refused, or a round had too few runs"
            );
        await server.StopAsync();
        var batch = double.Parse(server.Find("batch size  "), CultureInfo.InvariantCulture);
        var limit = Enumerable
            .Range(0, Rounds)
            .Select(i => Bare($"{folder}/bare{i}.db", Math.Max(1, (int)Math.Round(batch))))
            .ToList();
        Measurements.Say(
            "decisions through the signed door, 64 connections",
            Measurements.Median(rounds.Select(r => r.PerSecond)),
            "a second"
        );
        Measurements.Say("commands a commit", batch, "");
        Measurements.Say("a bare SQLite loop, the same rows and batch", Measurements.Median(limit), "a second");
        Measurements.Say(
            "ratio",
            100 * Measurements.Median(rounds.Select(r => r.PerSecond)) / Measurements.Median(limit),
            "%",
            "target 40 %"
        );
        Measurements.Say("p99", Measurements.Median(rounds.Select(r => r.P99Milliseconds)), "ms");
    }

    /// <summary>The same on PostgreSQL, against 64 loops at once with a commit a decision.</summary>
    public static async Task DecisionsPostgresAsync(string folder)
    {
        const int slice = 6_000;
        var database = BarePostgres.NewDatabase();
        await using var server = await Child.StartAsync($"serve {folder}/data \"{database}\"", Measurements.NoLimits);
        using var maker = Measurements.Client(server, server.RootKey);
        await using var bare = await BarePostgres.OpenAsync(database);
        // Each round of the server has a slice, and behind them each of the loops.
        await MakeAsync(maker, slice * BarePostgres.Slices);
        var asked = await bare.ListAsync(
            "SELECT project, id, run FROM approval",
            r => (Project: r.GetString(0), Id: r.GetString(1), Run: r.GetString(2))
        );
        var runs = asked.ToDictionary(a => a.Id, StringComparer.Ordinal);
        await bare.CompareAsync(
            "decisions through the signed door",
            server.Url,
            round => Script(folder, round, slice),
            (round, n) =>
                n < slice && runs["q" + ((round * slice) + n)] is var (project, id, run)
                    ? BareRows.OfDecision(project, id, run, n)
                    : null,
            seconds: 2
        );
    }

    /// <summary>So many runs that wait for a decision.</summary>
    public static async Task MakeAsync(HttpClient maker, int questions)
    {
        (await maker.PutAsJsonAsync("/api/v1/agents/idle", new { kind = "pull" })).EnsureSuccessStatusCode();
        (
            await maker.PutAsJsonAsync("/api/v1/approval-services/default", new { secrets = new[] { Webhooks.Secret } })
        ).EnsureSuccessStatusCode();
        await Parallel.ForAsync(
            0,
            questions,
            new ParallelOptions { MaxDegreeOfParallelism = 64 },
            async (i, cancel) =>
            {
                var run = (
                    await (
                        await maker.PostAsJsonAsync("/api/v1/runs", new { agent = "idle" }, cancel)
                    ).Content.ReadFromJsonAsync<JsonElement>(cancel)
                )
                    .GetProperty("id")
                    .GetString();
                (
                    await maker.PostAsJsonAsync($"/api/v1/runs/{run}/status", new { status = "running" }, cancel)
                ).EnsureSuccessStatusCode();
                (
                    await maker.PostAsJsonAsync(
                        $"/api/v1/executions/{run}/request-approval",
                        new { approval_request_id = "q" + i, title = "May it go on?" },
                        cancel
                    )
                ).EnsureSuccessStatusCode();
            }
        );
    }

    /// <summary>
    /// Half of them in <c>wait=</c>, half on the run's event stream; the time runs from the sending of the decision
    /// until the last has been told.
    /// </summary>
    public static async Task WaitersAsync(string folder)
    {
        const int each = 2500;
        const int rounds = 20;
        await using var server = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits);
        using var http = Measurements.Client(server, server.RootKey);
        (await http.PutAsJsonAsync("/api/v1/agents/idle", new { kind = "pull" })).EnsureSuccessStatusCode();
        (
            await http.PutAsJsonAsync("/api/v1/approval-services/default", new { secrets = new[] { Webhooks.Secret } })
        ).EnsureSuccessStatusCode();
        var run = (
            await (
                await http.PostAsJsonAsync("/api/v1/runs", new { agent = "idle" })
            ).Content.ReadFromJsonAsync<JsonElement>()
        )
            .GetProperty("id")
            .GetString();
        (
            await http.PostAsJsonAsync($"/api/v1/runs/{run}/status", new { status = "running" })
        ).EnsureSuccessStatusCode();
        var port = new Uri(server.Url).Port;
        var (waiting, streams) = (new List<Socket>(), new List<Socket>());
        for (var i = 0; i < each; i++)
        {
            waiting.Add(await ConnectAsync(port));
            streams.Add(await ConnectAsync(port));
            await streams[i]
                .SendAsync(Request(server.RootKey, $"/api/v1/runs/{run}/events", "Accept: text/event-stream\r\n"));
        }
        var wait = Request(server.RootKey, $"/api/v1/executions/{run}/approval-status?wait=55", "");
        var times = new List<double>();
        for (var round = 0; round < rounds; round++)
        {
            (
                await http.PostAsJsonAsync(
                    $"/api/v1/executions/{run}/request-approval",
                    new { approval_request_id = "w" + round }
                )
            ).EnsureSuccessStatusCode();
            foreach (var socket in waiting)
                await socket.SendAsync(wait);
            await Task.Delay(2000);
            foreach (var socket in streams)
                Drain(socket);
            var told = Task.WhenAll(waiting.Concat(streams).Select(HearAsync));
            var watch = Stopwatch.StartNew();
            using var decision = Decision("w" + round);
            (await http.SendAsync(decision)).EnsureSuccessStatusCode();
            await told;
            times.Add(watch.Elapsed.TotalMilliseconds);
        }
        // The first round compiles what the others run.
        times = [.. times.Skip(2).Order()];
        Measurements.Say(
            $"{each * 2:#,0} who wait, the last is told, median of {times.Count}",
            times[times.Count / 2],
            "ms"
        );
        Measurements.Say("the slowest", times[^1], "ms", "target < 200 ms");
        foreach (var socket in waiting.Concat(streams))
            socket.Dispose();
    }

    public static HttpRequestMessage Decision(string id)
    {
        var body = $"{{\"requestId\":\"{id}\",\"decision\":\"approved\"}}";
        var message = new HttpRequestMessage(HttpMethod.Post, "/api/v1/webhooks/approval-response")
        {
            Content = new StringContent(body),
        };
        message.Headers.Add("X-Hax-Signature", Sign(body));
        return message;
    }

    private static string Sign(string body) =>
        "sha256="
        + Convert.ToHexStringLower(
            HMACSHA256.HashData(Encoding.UTF8.GetBytes(Webhooks.Secret), Encoding.UTF8.GetBytes(body))
        );

    private static async Task<Socket> ConnectAsync(int port)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        return socket;
    }

    private static byte[] Request(string key, string path, string headers) =>
        Encoding.ASCII.GetBytes(
            $"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n{headers}\r\n"
        );

    private static void Drain(Socket socket)
    {
        Span<byte> buffer = stackalloc byte[8192];
        while (socket.Available > 0)
            socket.Receive(buffer);
    }

    private static async Task HearAsync(Socket socket)
    {
        var buffer = new byte[2048];
        while (true)
        {
            var read = await socket.ReceiveAsync(buffer);
            if (read == 0)
                throw new InvalidOperationException("a connection was closed");
            if (buffer.AsSpan(0, read).IndexOf("\"approved\""u8) >= 0)
                return;
        }
    }

    private static string Script(string folder, int round, int slice = Slice)
    {
        var requests = $"{folder}/decisions{round}";
        File.WriteAllLines(
            requests,
            Enumerable
                .Range(round * slice, slice)
                .Select(i =>
                {
                    var body = $"{{\"requestId\":\"q{i}\",\"decision\":\"approved\",\"feedback\":\"go ahead\"}}";
                    return Sign(body) + " " + body;
                })
        );
        var file = $"{folder}/decisions{round}.lua";
        File.WriteAllText(
            file,
            $$"""
            local signatures, bodies = {}, {}
            for line in io.lines("{{requests}}") do
              local at = line:find(" ")
              signatures[#signatures + 1] = line:sub(1, at - 1)
              bodies[#bodies + 1] = line:sub(at + 1)
            end
            local n = 0
            function request()
              n = n + 1
              -- More than there are: refused, and the round with it.
              local headers = { ["X-Hax-Signature"] = signatures[n] or "none", ["Content-Type"] = "application/json" }
              return wrk.format("POST", "/api/v1/webhooks/approval-response", headers, bodies[n] or "{}")
            end
            """
        );
        return file;
    }

    /// <summary>
    /// The limit: every row that a decision writes and changes, by key, from a loop that does nothing else, on the same
    /// file.
    /// </summary>
    private static double Bare(string file, int perCommit)
    {
        using var bare = new BareFile(file);
        var asked = new List<(string Project, string Id, string Run)>();
        using (var list = bare.Command("SELECT project, id, run FROM approval ORDER BY requested_at"))
        using (var reader = list.ExecuteReader())
            while (reader.Read())
                asked.Add((reader.GetString(0), reader.GetString(1), reader.GetString(2)));
        return bare.Run(
            perCommit,
            TimeSpan.FromSeconds(Seconds),
            done =>
            {
                var (project, id, run) = asked[(int)done];
                bare.Write(BareRows.OfDecision(project, id, run, done));
            },
            asked.Count
        );
    }
}
