using System.Text.RegularExpressions;
using Npgsql;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// The rows and round trips of a capture, a status report and a decision, as numbers, so that they do not grow unseen.
/// One more row or round trip is a decision: change the number with it, and docs/performance.md.
/// </summary>
public sealed partial class TripTests
{
    private const string Secret = "a secret of the test, long enough";

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_captured_webhook_writes_so_many_rows(Backend backend)
    {
        await using var world = await World.StartAsync(backend);
        await world.CaptureAsync("first");
        Assert.Equal(
            "agent_trigger capture capture_key event message record run run_event session",
            await world.RowsAsync(() => world.CaptureAsync("second"))
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_status_report_writes_so_many_rows(Backend backend)
    {
        await using var world = await World.StartAsync(backend);
        var run = await world.RunAsync();
        await world.ReportAsync(run, "e1");
        Assert.Equal("run run_event", await world.RowsAsync(() => world.ReportAsync(run, "e2")));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_decision_writes_so_many_rows(Backend backend)
    {
        await using var world = await World.StartAsync(backend);
        await world.AskAsync("q1");
        Assert.Equal("approval audit event run run_event", await world.RowsAsync(() => world.DecideAsync("q1")));
    }

    [Fact]
    public async Task A_captured_webhook_takes_three_round_trips()
    {
        await using var world = await World.StartAsync(Backend.Postgres);
        await world.CaptureAsync("first");
        // The trigger; what is known of the request, its agent and the subscribers; all that is written, with the
        // commit.
        Assert.Equal(3, await world.TripsAsync(() => world.CaptureAsync("second"), "second", "by-trips"));
    }

    [Fact]
    public async Task A_status_report_takes_two_round_trips()
    {
        await using var world = await World.StartAsync(Backend.Postgres);
        var run = await world.RunAsync();
        await world.ReportAsync(run, "e1");
        // The run with its locks and its earlier report; what is written, with the commit.
        Assert.Equal(2, await world.TripsAsync(() => world.ReportAsync(run, "e2"), run));
    }

    [Fact]
    public async Task A_decision_takes_three_round_trips()
    {
        await using var world = await World.StartAsync(Backend.Postgres);
        await world.AskAsync("q1");
        await world.DecideAsync("q1");
        await world.AskAsync("q2");
        // The question, which says its run; that with its locks, and the question behind them; what is written.
        Assert.Equal(3, await world.TripsAsync(() => world.DecideAsync("q2"), "q2"));
    }

    [GeneratedRegex(@"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")]
    private static partial Regex Written();

    private sealed class World : IAsyncDisposable
    {
        /// <summary>Written by the server's own loops, beside all requests.</summary>
        private static readonly HashSet<string> Loops = ["metric", "node", "hint_log", "agent_asked", "api_key"];

        private readonly TestServer _server;
        private readonly TripCounter? _trips;
        private readonly RecordingDatabase _recording;
        private readonly string _secret;

        private World(TestServer server, TripCounter? trips, RecordingDatabase recording, string secret) =>
            (_server, _trips, _recording, _secret) = (server, trips, recording, secret);

        public static async Task<World> StartAsync(Backend backend)
        {
            TripCounter? trips = null;
            string? address = null;
            if (backend == Backend.Postgres)
            {
                var connection = new NpgsqlConnectionStringBuilder(PostgresServer.NewDatabase());
                trips = new TripCounter(connection.Port);
                connection.Port = trips.Port;
                address = connection.ToString();
            }
            RecordingDatabase recording = null!;
            var server = await TestServer.StartAsync(
                backend,
                postgres: address,
                wrap: inner => recording = new RecordingDatabase(inner)
            );
            await PutAsync("/api/v1/agents/idle", new { kind = "pull" });
            await PutAsync("/api/v1/approval-services/default", new { secrets = new[] { Secret } });
            await PutAsync(
                "/api/v1/workflows/w",
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
            await server.PostAsync(
                "/api/triggers/user/by-trips/t",
                new { agent = "idle", promptTemplate = "{{body.word}}" }
            );
            var secret = (await server.PostAsync("/api/v1/callback-secrets", new { })).String("secret");
            return new World(server, trips, recording, secret);

            async Task PutAsync(string path, object body) =>
                Assert.InRange((await server.SendAsync(HttpMethod.Put, path, server.RootKey, body)).Status, 200, 201);
        }

        /// <summary>The tables that are written, a word a row, in the order of their names.</summary>
        public async Task<string> RowsAsync(Func<Task> work)
        {
            // What was asked for before has been written.
            await _server.SettledAsync();
            _recording.Written.Clear();
            await work();
            return string.Join(
                ' ',
                _recording
                    .Written.Select(sql => Written().Match(sql).Groups[1].Value)
                    .Where(table => !Loops.Contains(table))
                    .Order(StringComparer.Ordinal)
            );
        }

        public async Task<int> TripsAsync(Func<Task> work, params string[] about)
        {
            await _server.SettledAsync();
            _trips!.Clear();
            await work();
            return _trips.CountAbout(about);
        }

        public async Task CaptureAsync(string word) =>
            Assert.Equal(
                200,
                (
                    await _server.SendAsync(
                        HttpMethod.Post,
                        "/inbound/user/by-trips/t",
                        null,
                        new { word },
                        ("X-GitHub-Delivery", word)
                    )
                ).Status
            );

        public async Task<string> RunAsync() =>
            (
                await _server.PostAsync(
                    "/api/v1/runs",
                    new
                    {
                        agent = "idle",
                        workflow = "w",
                        start = false,
                    }
                )
            ).String("id");

        public async Task ReportAsync(string run, string id) =>
            Assert.Equal(
                204,
                (
                    await _server.SendAsync(
                        HttpMethod.Post,
                        $"/internal/jobs/{run}/status",
                        null,
                        new
                        {
                            event_id = id,
                            status = "WORKING",
                            correlation_id = "c",
                            occurred_at = $"2026-01-01T00:00:0{id[1..]}Z",
                            actor_type = "orchestrator",
                        },
                        ("X-Callback-Secret", _secret)
                    )
                ).Status
            );

        public async Task AskAsync(string id)
        {
            var run = await RunAsync();
            await ReportAsync(run, "e1");
            var asked = await _server.PostAsync(
                $"/api/v1/executions/{run}/request-approval",
                new { approval_request_id = id, title = "May it go on?" }
            );
            Assert.InRange(asked.Status, 200, 202);
        }

        public async Task DecideAsync(string id)
        {
            var body = $$"""{"requestId":"{{id}}","decision":"approved"}""";
            var mac = System.Security.Cryptography.HMACSHA256.HashData(
                System.Text.Encoding.UTF8.GetBytes(Secret),
                System.Text.Encoding.UTF8.GetBytes(body)
            );
            var answer = await _server.SendAsync(
                HttpMethod.Post,
                "/api/v1/webhooks/approval-response",
                null,
                body,
                ("X-Hax-Signature", "sha256=" + Convert.ToHexStringLower(mac))
            );
            Assert.Equal(200, answer.Status);
        }

        public async ValueTask DisposeAsync()
        {
            await _server.DisposeAsync();
            _trips?.Dispose();
        }
    }
}
