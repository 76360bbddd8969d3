using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Data.Sqlite;

namespace Postern.Bench;

/// <summary>
/// Captured webhooks over HTTP with a signature check: capture, session, message and run in one durable commit, against
/// a bare loop that writes the same rows in the same batches.
/// </summary>
internal static class InboundMeasurements
{
    private const int Triggers = 200;
    private const int Rounds = 3;
    private const int Seconds = 5;
    private const int Connections = 64;
    private const string Secret = "the secret of the bench, long enough";

    /// <summary>More than a round can send.</summary>
    private const int Slice = 200_000;

    public static async Task RunAsync(string folder)
    {
        string key;
        await using (var first = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits))
        {
            key = first.RootKey;
            using var maker = Measurements.Client(first, key);
            (await maker.PutAsJsonAsync("/api/v1/agents/idle", new { kind = "pull" })).EnsureSuccessStatusCode();
            for (var i = 0; i < Triggers; i++)
                (
                    await maker.PostAsJsonAsync(
                        $"/api/triggers/user/bench/t{i}",
                        new
                        {
                            agent = "idle",
                            promptTemplate = "{{body.issue.title}}",
                            maxInFlight = 1000,
                            webhookAuth = new { scheme = "github", secret = Secret },
                        }
                    )
                ).EnsureSuccessStatusCode();
            await first.StopAsync();
        }
        for (var i = 0; i < Rounds; i++)
            File.Copy($"{folder}/data/postern.db", $"{folder}/bare{i}.db");

        await using var server = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits);
        await Wrk.RunAsync(server.Url, 2, Connections, null, Script(folder, 0));
        var rounds = new List<Wrk>();
        for (var round = 1; round <= Rounds; round++)
            rounds.Add(await Wrk.RunAsync(server.Url, Seconds, Connections, null, Script(folder, round)));
        if (rounds.Sum(r => r.Failed) > 0)
            throw new InvalidOperationException($"{rounds.Sum(r => r.Failed)} requests were refused");
        await server.StopAsync();
        var batch = double.Parse(server.Find("batch size  "), CultureInfo.InvariantCulture);
        var limit = Enumerable
            .Range(0, Rounds)
            .Select(i =>
                Bare($"{folder}/bare{i}.db", Math.Max(1, (int)Math.Round(batch)), TimeSpan.FromSeconds(Seconds))
            )
            .ToList();
        Measurements.Say(
            "captured webhooks over HTTP, signed, 64 connections",
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
        Measurements.Say("p99", Measurements.Median(rounds.Select(r => r.P99Milliseconds)), "ms", "target < 30 ms");
    }

    /// <summary>Signed beforehand: no two bodies are alike, for one that was sent before starts nothing.</summary>
    private static string Script(string folder, int round)
    {
        var file = $"{folder}/inbound{round}.lua";
        var signed = $"{folder}/inbound{round}.txt";
        File.WriteAllLines(signed, Enumerable.Range(0, Slice).Select(n => SignatureOf(BodyOf(round, n))));
        File.WriteAllText(
            file,
            $$"""
            local signed = {}
            for line in io.lines("{{signed}}") do signed[#signed + 1] = line end
            local n = 0
            function request()
              n = n + 1
              local body = '{{BodyOf(round, -1)}}'
              body = string.gsub(body, "-1", n - 1, 1)
              local headers = { ["Content-Type"] = "application/json", ["X-GitHub-Event"] = "issues" }
              headers["X-Hub-Signature-256"] = "sha256=" .. signed[n]
              headers["X-GitHub-Delivery"] = "{{round}}-" .. n
              return wrk.format("POST", "/inbound/user/bench/t" .. (n % {{Triggers}}), headers, body)
            end
            """
        );
        return file;
    }

    private static string BodyOf(int round, int n) =>
        """{"action":"opened","issue":"""
        + $$$"""{"number":{{{n}}},"title":"It breaks when it is full"},"repository":"a/b{{{round}}}"}""";

    private static string SignatureOf(string body) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(body)));

    /// <summary>
    /// The limit: every row that a capture writes and every row that it changes, by key, from a loop that does nothing
    /// else.
    /// </summary>
    private static double Bare(string file, int perCommit, TimeSpan span)
    {
        using var bare = new BareFile(file);
        var project = (string)bare.Scalar("SELECT id FROM project LIMIT 1")!;
        var statements = new (SqliteCommand Command, Func<long, string, object?[]> Values)[]
        {
            (
                bare.Command(
                    "INSERT INTO capture_key (project, trigger_uid, digest, capture, at) VALUES ($1, $2, $3, $4, $5)"
                ),
                (n, id) => [project, "trg_" + (n % Triggers), SHA256.HashData(Encoding.UTF8.GetBytes(id)), id, n]
            ),
            (
                bare.Command(
                    """
                    INSERT INTO session (project, id, external_id, session_key, type, agent, trigger_config, tags,
                      metadata, created_at, updated_at, expires_at, in_next, out_next, message_next, in_message_seq,
                      in_answered_seq, stop_seq, out_settled, expiry_told, turn_seconds, turn_in_seq, turn_out_seq)
                    VALUES ($1, $2, $3, $4, 'trigger', 'idle', NULL, '[]', '{"trigger":"user/bench/t1","key":null}',
                      $5, $5, NULL, 0, 0, 1, -1, -1, -1, 0, 0, 0, -1, 0)
                    """
                ),
                (n, id) => [project, "session_" + id, "trg:" + id, "agent:idle:trg:" + id, n]
            ),
            (
                bare.Command(
                    """
                    INSERT INTO record (project, session, channel, seq, at, part_id, body, headers)
                    VALUES ($1, $2, 'in', 0, $3, $4, $5, NULL)
                    """
                ),
                (n, id) => [project, "session_" + id, n, id, new byte[300]]
            ),
            (
                bare.Command(
                    """
                    INSERT INTO message (project, session, seq, id, role, content, at, run, idempotency_key)
                    VALUES ($1, $2, 1, $3, 'user', $4, $5, NULL, NULL)
                    """
                ),
                (n, id) => [project, "session_" + id, "msg_" + id, new byte[60], n]
            ),
            (
                bare.Command(
                    """
                    UPDATE session
                    SET in_next = 1, in_message_seq = 0, stop_seq = -1, message_next = 2, updated_at = $3
                    WHERE project = $1 AND id = $2
                    """
                ),
                (n, id) => [project, "session_" + id, n]
            ),
            (
                bare.Command(
                    """
                    INSERT INTO run (project, id, agent, workflow, workflow_version, session, status, phase, attempt,
                      event_seq, tags, boot_message, continuation, created_at, updated_at, attempt_at, deadline_at,
                      total_at, state_until, queued_seconds, silent_seconds, total_seconds, idle_seconds, due_at,
                      lease_until, lease_no, tries)
                    VALUES ($1, $2, 'idle', 'agent', 0, $3, 'queued', 'queued', 1, 1, '[]', 0, 0, $4, $4, $4, $4, $4,
                      $4, 3600, 900, 86400, 30, $4, 0, 0, 0)
                    """
                ),
                (n, id) => [project, "run_" + id, "session_" + id, n]
            ),
            (
                bare.Command(
                    """
                    INSERT INTO run_event (project, run, seq, at, type, attempt, actor, credential, to_status, accepted)
                    VALUES ($1, $2, 1, $3, 'created', 1, 'server', 'server', 'queued', 1)
                    """
                ),
                (n, id) => [project, "run_" + id, n]
            ),
            (
                bare.Command(
                    """
                    UPDATE session
                    SET current_run = $3, current_attempt = 1, run_wanted_until = NULL, updated_at = $4
                    WHERE project = $1 AND id = $2
                    """
                ),
                (n, id) => [project, "session_" + id, "run_" + id, n]
            ),
            (
                bare.Command(
                    """
                    INSERT INTO capture (project, id, trigger_uid, at, source, method, path, query, headers, body,
                      content_type, source_ip, status, session, in_seq, run)
                    VALUES ($1, $2, $3, $4, 'webhook', 'POST', '/inbound/user/bench/t1', '', $5, $6,
                      'application/json', '127.0.0.1', 'captured', $7, 0, $8)
                    """
                ),
                (n, id) =>
                    [
                        project,
                        id,
                        "trg_" + (n % Triggers),
                        n,
                        new string('h', 250),
                        Encoding.UTF8.GetBytes(BodyOf(0, 7)),
                        "session_" + id,
                        "run_" + id,
                    ]
            ),
            (
                bare.Command(
                    """
                    UPDATE agent_trigger
                    SET received = received + 1, last_at = $3, in_flight = in_flight + 1
                    WHERE project = $1 AND kind = 'user' AND owner = 'bench' AND id = $2
                    """
                ),
                (n, id) => [project, "t" + (n % Triggers), n]
            ),
        };
        var happened = bare.Command(
            "INSERT INTO event (project, id, at, type, subject, body) VALUES ($1, $2, $3, $4, $5, $6)"
        );
        string[] types = ["session.created", "message.committed", "run.created", "trigger.captured"];
        return bare.Run(
            perCommit,
            span,
            done =>
            {
                var id = Guid.CreateVersion7().ToString();
                foreach (var (command, values) in statements)
                    BareFile.Execute(command, values(done, id));
                foreach (var type in types)
                    BareFile.Execute(happened, project, "evt_" + id + type, done, type, "session_" + id, new byte[220]);
            }
        );
    }
}
