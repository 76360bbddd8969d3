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
    private const int Rounds = 3;
    private const int Seconds = 2;
    private const int Connections = 64;

    /// <summary>Waiting runs for each round, more than it decides: at least ten thousand wait all the time.</summary>
    private const int Slice = 30_000;
    private const string Secret = "the secret of the bench, long enough";

    public static async Task DecisionsAsync(string folder)
    {
        await using (var first = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits))
        {
            using var maker = Measurements.Client(first, first.RootKey);
            (await maker.PutAsJsonAsync("/api/v1/agents/idle", new { kind = "pull" })).EnsureSuccessStatusCode();
            (
                await maker.PutAsJsonAsync("/api/v1/approval-services/default", new { secrets = new[] { Secret } })
            ).EnsureSuccessStatusCode();
            await Parallel.ForAsync(
                0,
                Slice * (Rounds + 1),
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
            await first.StopAsync();
        }
        // The limit begins where the server begins: on a copy of the same file.
        for (var i = 0; i < Rounds; i++)
            File.Copy($"{folder}/data/postern.db", $"{folder}/bare{i}.db");

        await using var server = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits);
        await Wrk.RunAsync(server.Url, Seconds, Connections, null, Script(folder, 0));
        var rounds = new List<Wrk>();
        for (var round = 1; round <= Rounds; round++)
            rounds.Add(await Wrk.RunAsync(server.Url, Seconds, Connections, null, Script(folder, round)));
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
            await http.PutAsJsonAsync("/api/v1/approval-services/default", new { secrets = new[] { Secret } })
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

    private static HttpRequestMessage Decision(string id)
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
        + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(body)));

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

    private static string Script(string folder, int round)
    {
        var requests = $"{folder}/decisions{round}";
        File.WriteAllLines(
            requests,
            Enumerable
                .Range(round * Slice, Slice)
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
        var approval = bare.Command(
            """
            UPDATE approval
            SET status = $3, decided_at = $4, decided_with = $5, decided_by = $6, feedback = $7, response = $8
            WHERE project = $1 AND id = $2 AND status = 'pending'
            """
        );
        var run = bare.Command(
            """
            UPDATE run SET status = $3, phase = $4, reason = $5, attempt = $6, marker = $7, event_seq = $8,
              failure_code = $9, failure_message = $10, failed_stage = $11,
              progress_millionths = $12, profile = $13, paused_from = $14, updated_at = $15, attempt_at = $16,
              started_at = $17, ended_at = $18,
              deadline_at = $19, total_at = $20, state_until = $21, due_at = $22, claim_at = $23, claim_until = $24,
              claim_seconds = $25, leases_lost = $26, dispatched = $27,
              boot_message = $28, tries = $29, approval = $30, approval_until = $31 WHERE project = $1 AND id = $2
            """
        );
        var happened = bare.Command(
            """
            INSERT INTO run_event (project, run, seq, at, type, attempt, actor, credential, from_status, to_status,
              accepted, detail)
            VALUES ($1, $2, 4, $3, 'approval_decided', 1, 'default', 'service', 'waiting', 'running', 1, $4)
            """
        );
        var told = bare.Command(
            "INSERT INTO event (project, id, at, type, subject, body) VALUES ($1, $2, $3, 'approval.decided', $4, $5)"
        );
        var audit = bare.Command(
            """
            INSERT INTO audit (project, id, at, action, credential, actor, route, address, reason)
            VALUES ($1, $2, $3, 'approval.decided', 'service', 'default', NULL, NULL, $4)
            """
        );
        var detail =
            "{\"approvalRequestId\":\"q12345\",\"round\":1,\"decision\":\"approved\",\"feedback\":\"go ahead\","
            + "\"decidedWith\":\"service\",\"decidedBy\":\"default\"}";
        return bare.Run(
            perCommit,
            TimeSpan.FromSeconds(Seconds),
            done =>
            {
                var (project, id, of) = asked[(int)done];
                var now = 1_800_000_000_000_000 + done;
                BareFile.Execute(approval, project, id, "approved", now, "service", "default", "go ahead", null);
                BareFile.Execute(told, project, "evt_" + Guid.CreateVersion7().ToString("N"), now, of, new byte[330]);
                BareFile.Execute(
                    audit,
                    project,
                    "aud_" + Guid.CreateVersion7().ToString("N"),
                    now,
                    "approved " + of + " round 1"
                );
                BareFile.Execute(
                    run,
                    project,
                    of,
                    "running",
                    "running",
                    null,
                    1L,
                    null,
                    4L,
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
                    0L,
                    null,
                    null
                );
                BareFile.Execute(happened, project, of, now, detail);
            },
            asked.Count
        );
    }
}
