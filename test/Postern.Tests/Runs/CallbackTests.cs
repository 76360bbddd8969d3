using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Runs;

/// <summary>The status callback: its whole table, over HTTP.</summary>
public sealed class CallbackTests(CallbackTests.World world) : IClassFixture<CallbackTests.World>
{
    public sealed class World : IAsyncLifetime
    {
        internal TestServer Server { get; private set; } = null!;

        internal Pipeline Pipeline { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Server = await TestServer.StartAsync();
            Pipeline = await Pipeline.PutAsync(Server);
        }

        public async ValueTask DisposeAsync() => await Server.DisposeAsync();
    }

    private static readonly string[] AllStates =
    [
        "CREATED",
        "UPLOADING",
        "UPLOADED",
        "AUDIO_EXTRACTING",
        "AUDIO_READY",
        "TRANSCRIBING",
        "TRANSCRIPT_READY",
        "GENERATING",
        "DRAFT_READY",
        "EDITING",
        "REGENERATING",
        "EXPORTING",
        "DONE",
        "FAILED",
        "CANCELLED",
    ];

    public static TheoryData<string> From() => [.. AllStates];

    private Pipeline Pipeline => world.Pipeline;

    private static string Code(Answer answer) => answer.String("code");

    private static JsonElement Details(Answer answer) => answer.Json.GetProperty("details");

    /// <summary>15 × 15: every pair of states, each with its own job.</summary>
    [Theory]
    [MemberData(nameof(From))]
    public async Task Every_pair_of_states_is_as_the_definition_says(string from)
    {
        Assert.Equal(15, Pipeline.States.Count);
        foreach (var to in AllStates)
        {
            var job = await Pipeline.JobInAsync(from);
            var before = await Pipeline.ReadAsync(job);
            var answer = await Pipeline.ReportAsync(job, to);
            if (Pipeline.MayFollow(from, to))
            {
                Assert.True(answer.Status == 204 && answer.Text.Length == 0, $"{from} → {to}: {answer}");
                Assert.Equal(to, (await Pipeline.ReadAsync(job)).GetProperty("status").GetString());
                continue;
            }
            var terminal = from is "DONE" or "FAILED" or "CANCELLED";
            Assert.True(
                answer.Status == 409
                    && Code(answer) == (terminal ? "FSM_TERMINAL_IMMUTABLE" : "FSM_TRANSITION_INVALID"),
                $"{from} → {to}: {answer}"
            );
            Assert.Equal(
                (from, to),
                (
                    Details(answer).GetProperty("current_status").GetString(),
                    Details(answer).GetProperty("attempted_status").GetString()
                )
            );
            Assert.Equal(
                Pipeline.AllowedAfter(from),
                Details(answer).GetProperty("allowed_next_statuses").EnumerateArray().Select(s => s.GetString()!)
            );
            var after = await Pipeline.ReadAsync(job);
            Assert.Equal(before.GetProperty("status").GetString(), after.GetProperty("status").GetString());
            Assert.Equal(
                before.GetProperty("latestAppliedOccurredAt").GetRawText(),
                after.GetProperty("latestAppliedOccurredAt").GetRawText()
            );
        }
    }

    [Fact]
    public async Task A_repeat_is_answered_with_where_the_run_stands_even_after_it_has_gone_on()
    {
        var job = await Pipeline.JobAsync();
        var body = Pipeline.Body("UPLOADING", ("correlation_id", "first"));
        Assert.Equal(204, (await Pipeline.SendAsync(job, body)).Status);
        Assert.Equal(204, (await Pipeline.ReportAsync(job, "UPLOADED")).Status);
        body["correlation_id"] = "a retry has another";
        var again = await Pipeline.SendAsync(job, body);
        Assert.Equal(200, again.Status);
        Assert.Equal(
            ["job_id", "event_id", "replayed", "current_status", "latest_applied_occurred_at"],
            again.Json.EnumerateObject().Select(m => m.Name)
        );
        Assert.Equal(
            (job, (string)body["event_id"]!, true, "UPLOADED"),
            (
                again.String("job_id"),
                again.String("event_id"),
                again.Json.GetProperty("replayed").GetBoolean(),
                again.String("current_status")
            )
        );
        Assert.EndsWith("Z", again.String("latest_applied_occurred_at"), StringComparison.Ordinal);
        body["status"] = "CANCELLED";
        var other = await Pipeline.SendAsync(job, body);
        Assert.Equal(
            (409, "EVENT_ID_PAYLOAD_MISMATCH", (string)body["event_id"]!),
            (other.Status, Code(other), Details(other).GetProperty("event_id").GetString())
        );
    }

    [Fact]
    public async Task Only_accepted_events_are_in_the_ledger()
    {
        var job = await Pipeline.JobAsync();
        var body = Pipeline.Body("EDITING");
        Assert.Equal("FSM_TRANSITION_INVALID", Code(await Pipeline.SendAsync(job, body)));
        // The same id with valid content: nothing was accepted under it yet.
        body["status"] = "UPLOADING";
        Assert.Equal(204, (await Pipeline.SendAsync(job, body)).Status);
    }

    [Theory]
    [InlineData("2026-03-01T12:00:00.000001Z", 204)]
    [InlineData("2026-03-01T14:00:00.000001+02:00", 204)]
    [InlineData("2026-03-01T12:00:00.000001999Z", 204)]
    [InlineData("2026-03-01T12:00:00Z", 409)]
    [InlineData("2026-03-01T12:00:00.000000Z", 409)]
    [InlineData("2026-03-01T12:00:00.0000009Z", 409)]
    [InlineData("2026-03-01T13:30:00+01:30", 409)]
    [InlineData("2026-03-01T11:59:60Z", 409)]
    [InlineData("2026-03-01T11:59:59.999999Z", 409)]
    public async Task Instants_are_ordered_by_microseconds_whatever_their_offset(string second, int status)
    {
        var job = await Pipeline.JobAsync();
        Assert.Equal(
            204,
            (await Pipeline.ReportAsync(job, "UPLOADING", ("occurred_at", "2026-03-01T12:00:00Z"))).Status
        );
        var answer = await Pipeline.ReportAsync(job, "UPLOADED", ("occurred_at", second));
        Assert.Equal(status, answer.Status);
        if (status == 204)
            return;
        Assert.Equal("CALLBACK_OUT_OF_ORDER", Code(answer));
        Assert.Equal(
            ("2026-03-01T12:00:00.000000Z", "UPLOADING", "UPLOADED"),
            (
                Details(answer).GetProperty("latest_applied_occurred_at").GetString(),
                Details(answer).GetProperty("current_status").GetString(),
                Details(answer).GetProperty("attempted_status").GetString()
            )
        );
    }

    [Fact]
    public async Task An_instant_far_ahead_is_refused_so_that_it_cannot_block_the_run()
    {
        var job = await Pipeline.JobAsync();
        var now = world.Server.Database.Now;
        var answer = await Pipeline.ReportAsync(
            job,
            "UPLOADING",
            ("occurred_at", Pipeline.At((now + 301_000_000) + 62_135_596_800_000_000))
        );
        Assert.Equal(
            (409, "VALIDATION_ERROR", "occurred_at"),
            (answer.Status, Code(answer), Details(answer).GetProperty("errors")[0].GetProperty("field").GetString())
        );
        Assert.Equal(
            204,
            (
                await Pipeline.ReportAsync(
                    job,
                    "UPLOADING",
                    ("occurred_at", Pipeline.At((now + 290_000_000) + 62_135_596_800_000_000))
                )
            ).Status
        );
    }

    [Theory]
    [InlineData("event_id", null)]
    [InlineData("event_id", "")]
    [InlineData("event_id", 7)]
    [InlineData("status", null)]
    [InlineData("status", "UPLOADED ")]
    [InlineData("status", "uploading")]
    [InlineData("status", true)]
    [InlineData("occurred_at", null)]
    [InlineData("occurred_at", "2026-03-01T12:00:00")]
    [InlineData("occurred_at", "2026-03-01")]
    [InlineData("occurred_at", "2026-02-30T12:00:00Z")]
    [InlineData("occurred_at", "yesterday")]
    [InlineData("occurred_at", 1700000000)]
    [InlineData("correlation_id", null)]
    [InlineData("actor_type", "person")]
    [InlineData("artifact_updates", "none")]
    [InlineData("failure_code", 1)]
    [InlineData("attempt", "1")]
    [InlineData("attempt", 1.5)]
    [InlineData("attempt", 0)]
    [InlineData("surprise", 1)]
    public async Task A_field_at_fault_is_named_and_nothing_is_written(string field, object? value)
    {
        var job = await Pipeline.JobAsync();
        var answer = await Pipeline.ReportAsync(job, "UPLOADING", (field, value));
        Assert.Equal((409, "VALIDATION_ERROR"), (answer.Status, Code(answer)));
        Assert.Contains(
            Details(answer).GetProperty("errors").EnumerateArray(),
            e => e.GetProperty("field").GetString() == field && e.GetProperty("problem").GetString()!.Length > 3
        );
        Assert.Equal("CREATED", (await Pipeline.ReadAsync(job)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task All_faults_come_in_one_answer_and_lengths_are_bounded()
    {
        var job = await Pipeline.JobAsync();
        var answer = await Pipeline.SendAsync(
            job,
            new
            {
                event_id = new string('e', 256),
                status = new string('s', 65),
                occurred_at = "x",
                correlation_id = new string('c', 256),
                failure_code = new string('f', 129),
                failure_message = new string('m', 4097),
                failed_stage = new string('t', 129),
                extra = 1,
            }
        );
        Assert.Equal(
            [
                "event_id",
                "status",
                "occurred_at",
                "correlation_id",
                "failure_code",
                "failure_message",
                "failed_stage",
                "extra",
            ],
            Details(answer).GetProperty("errors").EnumerateArray().Select(e => e.GetProperty("field").GetString()!)
        );
        Assert.Equal(
            204,
            (
                await Pipeline.SendAsync(
                    job,
                    Pipeline.Body(
                        "UPLOADING",
                        ("event_id", new string('e', 255)),
                        ("correlation_id", new string('c', 255)),
                        ("attempt", JsonSerializer.Deserialize<JsonElement>("1e0"))
                    )
                )
            ).Status
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"status\":\"UPLOADING\",\"status\":\"DONE\"}")]
    [InlineData("{\"event_id\":\"\\ud800\"}")]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("{\"artifact_updates\":{\"a\":\"\\u0000\"}}")]
    [InlineData("\u00ff\u00fe")]
    public async Task A_body_that_is_no_report_is_a_validation_error_and_without_a_secret_401(string body)
    {
        var job = await Pipeline.JobAsync();
        var bytes = body.StartsWith('\u00ff') ? Encoding.Latin1.GetBytes(body) : Encoding.UTF8.GetBytes(body);
        var answer = await world.Server.SendAsync(
            HttpMethod.Post,
            $"/internal/jobs/{job}/status",
            null,
            bytes,
            ("X-Callback-Secret", Pipeline.Secret),
            ("Content-Type", "application/json")
        );
        Assert.Equal((409, "VALIDATION_ERROR"), (answer.Status, Code(answer)));
        var closed = await world.Server.SendAsync(
            HttpMethod.Post,
            $"/internal/jobs/{job}/status",
            null,
            bytes,
            ("Content-Type", "application/json")
        );
        Assert.Equal((401, "UNAUTHORIZED"), (closed.Status, Code(closed)));
        Assert.Equal(["code", "message"], closed.Json.EnumerateObject().Select(m => m.Name));
    }

    [Fact]
    public async Task Size_and_media_type_have_their_own_refusals_in_the_same_envelope()
    {
        var job = await Pipeline.JobAsync();
        var large = await Pipeline.ReportAsync(job, "UPLOADING", ("failure_message", new string('x', 1024 * 1024)));
        Assert.Equal((413, "PAYLOAD_TOO_LARGE"), (large.Status, Code(large)));
        var text = await world.Server.SendAsync(
            HttpMethod.Post,
            $"/internal/jobs/{job}/status",
            null,
            Encoding.UTF8.GetBytes("{}"),
            ("X-Callback-Secret", Pipeline.Secret),
            ("Content-Type", "text/plain")
        );
        Assert.Equal((415, "UNSUPPORTED_MEDIA_TYPE"), (text.Status, Code(text)));
    }

    [Fact]
    public async Task Missing_and_foreign_runs_look_alike_byte_for_byte()
    {
        var other = (
            await world.Server.PostAsync("/api/v1/projects", new { name = "tenant-" + Guid.NewGuid().ToString("N") })
        ).String("rootKey");
        await world.Server.SendAsync(HttpMethod.Put, "/api/v1/agents/theirs", other, new { kind = "pull" });
        var theirs = (await world.Server.PostAsync("/api/v1/runs", new { agent = "theirs" }, other)).String("id");
        var foreign = await Pipeline.ReportAsync(theirs, "running");
        var missing = await Pipeline.ReportAsync("run_nobody", "running");
        Assert.Equal(404, foreign.Status);
        Assert.Equal(missing.Body, foreign.Body);
        Assert.Equal("{\"code\":\"RESOURCE_NOT_FOUND\",\"message\":\"Resource not found\"}", foreign.Text);
        Assert.Equal("queued", (await world.Server.GetAsync("/api/v1/runs/" + theirs, other)).String("phase"));
    }

    [Fact]
    public async Task Only_the_secret_opens_the_door_and_two_live_ones_do_while_one_is_rotated()
    {
        var server = world.Server;
        var job = await Pipeline.JobAsync();
        Assert.Equal(
            401,
            (
                await server.SendAsync(
                    HttpMethod.Post,
                    $"/internal/jobs/{job}/status",
                    server.RootKey,
                    Pipeline.Body("UPLOADING")
                )
            ).Status
        );
        foreach (
            var wrong in (string[])
                [
                    "",
                    "x",
                    "é".PadRight(30, 'é'),
                    Pipeline.Secret + "x",
                    Pipeline.Secret.ToUpperInvariant(),
                    new string('s', 20_000),
                ]
        )
            Assert.Equal(401, (await Pipeline.SendAsync(job, Pipeline.Body("UPLOADING"), wrong)).Status);
        Assert.True(await RawStatusAsync(job, new string('s', 100_000)) is 431);
        Assert.Equal("CREATED", (await Pipeline.ReadAsync(job)).GetProperty("status").GetString());

        var second = await server.PostAsync(
            "/api/v1/callback-secrets",
            new { secret = "a-secret-that-i-chose-myself-24" }
        );
        Assert.Equal((201, "a-secret-that-i-chose-myself-24"), (second.Status, second.String("secret")));
        Assert.Equal(
            (409, "too_many_secrets"),
            (
                (await server.PostAsync("/api/v1/callback-secrets", null)).Status,
                (await server.PostAsync("/api/v1/callback-secrets", null)).String("code")
            )
        );
        Assert.DoesNotContain(
            "chose-myself",
            (await server.GetAsync("/api/v1/callback-secrets")).Text,
            StringComparison.Ordinal
        );
        Assert.Equal(
            204,
            (await Pipeline.SendAsync(job, Pipeline.Body("UPLOADING"), "a-secret-that-i-chose-myself-24")).Status
        );
        Assert.Equal(204, (await Pipeline.ReportAsync(job, "UPLOADED")).Status);
        Assert.Equal(
            204,
            (
                await server.SendAsync(
                    HttpMethod.Delete,
                    "/api/v1/callback-secrets/" + second.String("id"),
                    server.RootKey
                )
            ).Status
        );
        Assert.Equal(
            401,
            (await Pipeline.SendAsync(job, Pipeline.Body("AUDIO_EXTRACTING"), "a-secret-that-i-chose-myself-24")).Status
        );
        Assert.Equal(400, (await server.PostAsync("/api/v1/callback-secrets", new { secret = "too short" })).Status);
    }

    [Fact]
    public async Task A_failure_needs_its_code_and_shows_on_the_run()
    {
        var job = await Pipeline.JobInAsync("TRANSCRIBING");
        var bare = await Pipeline.ReportAsync(job, "FAILED", ("failure_code", null));
        Assert.Equal(
            (409, "VALIDATION_ERROR", "failure_code"),
            (bare.Status, Code(bare), Details(bare).GetProperty("errors")[0].GetProperty("field").GetString())
        );
        Assert.Equal(
            204,
            (
                await Pipeline.ReportAsync(
                    job,
                    "FAILED",
                    ("failure_code", "no_speech"),
                    ("failure_message", "Nobody speaks."),
                    ("failed_stage", "transcribe")
                )
            ).Status
        );
        var run = await Pipeline.ReadAsync(job);
        Assert.Equal(
            ("FAILED", "failed", "no_speech", "Nobody speaks.", "transcribe"),
            (
                run.GetProperty("status").GetString(),
                run.GetProperty("phase").GetString(),
                run.GetProperty("failure").GetProperty("code").GetString(),
                run.GetProperty("failure").GetProperty("message").GetString(),
                run.GetProperty("failure").GetProperty("stage").GetString()
            )
        );
    }

    [Fact]
    public async Task Artifacts_are_kept_by_the_workflows_rules_and_what_was_not_is_named()
    {
        var job = await Pipeline.JobAsync();
        await Pipeline.ReportAsync(
            job,
            "UPLOADED",
            (
                "artifact_updates",
                new
                {
                    video_uri = "s3://a",
                    exports = new[] { 1 },
                    stranger = "x",
                    audio_uri = (string?)null,
                }
            )
        );
        await Pipeline.ReportAsync(
            job,
            "AUDIO_EXTRACTING",
            ("artifact_updates", new { video_uri = "s3://b", exports = new[] { 2 } })
        );
        await Pipeline.ReportAsync(
            job,
            "AUDIO_READY",
            (
                "artifact_updates",
                new
                {
                    video_uri = (string?)null,
                    exports = (string?)null,
                    audio_uri = "s3://c",
                }
            )
        );
        var artifacts = (await Pipeline.ReadAsync(job)).GetProperty("artifacts");
        Assert.Equal("{\"video_uri\":\"s3://a\",\"exports\":[2],\"audio_uri\":\"s3://c\"}", artifacts.GetRawText());
        var events = await Pipeline.EventsAsync(job);
        Assert.Equal(
            "stranger",
            events
                .Single(e => e.GetProperty("to").GetString() == "UPLOADED")
                .GetProperty("detail")
                .GetProperty("unlistedArtifactsIgnored")[0]
                .GetString()
        );
        Assert.Equal(
            "video_uri",
            events
                .Single(e => e.GetProperty("to").GetString() == "AUDIO_EXTRACTING")
                .GetProperty("detail")
                .GetProperty("immutableArtifactsKept")[0]
                .GetString()
        );

        var large = await Pipeline.ReportAsync(
            job,
            "TRANSCRIBING",
            ("artifact_updates", new { draft_uri = new string('d', 256 * 1024) })
        );
        Assert.Equal(
            (409, "VALIDATION_ERROR", "artifact_updates"),
            (large.Status, Code(large), Details(large).GetProperty("errors")[0].GetProperty("field").GetString())
        );
        Assert.Equal("AUDIO_READY", (await Pipeline.ReadAsync(job)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_report_of_an_earlier_attempt_is_refused_after_a_retry_and_the_new_attempt_has_no_marker()
    {
        var job = await Pipeline.JobInAsync("AUDIO_EXTRACTING");
        await Pipeline.ReportAsync(job, "AUDIO_READY", ("artifact_updates", new { audio_uri = "s3://sound" }));
        var first = Pipeline.Body("TRANSCRIBING", ("attempt", 1));
        Assert.Equal(204, (await Pipeline.SendAsync(job, first)).Status);
        Assert.Equal("STALE_ATTEMPT", Code(await Pipeline.ReportAsync(job, "TRANSCRIBING", ("attempt", 2))));
        await Pipeline.ReportAsync(
            job,
            "FAILED",
            ("occurred_at", Pipeline.At(world.Server.Database.Now + 250_000_000 + 62_135_596_800_000_000))
        );

        var retried = await world.Server.PostAsync($"/api/v1/runs/{job}/retry", new { clientRequestId = "again" });
        Assert.Equal(
            (202, 2, "AUDIO_READY"),
            (retried.Status, retried.Json.GetProperty("attempt").GetInt32(), retried.String("status"))
        );
        var stale = await Pipeline.ReportAsync(job, "TRANSCRIBING", ("attempt", 1));
        Assert.Equal(
            (409, "STALE_ATTEMPT", 2, 1),
            (
                stale.Status,
                Code(stale),
                Details(stale).GetProperty("current_attempt").GetInt32(),
                Details(stale).GetProperty("reported_attempt").GetInt32()
            )
        );
        // Repeats are recognised for the run, not for the attempt. The time of the last failure no longer orders
        // anything.
        Assert.Equal(200, (await Pipeline.SendAsync(job, first)).Status);
        Assert.Equal(204, (await Pipeline.ReportAsync(job, "TRANSCRIBING", ("attempt", 2))).Status);
        Assert.Equal(
            "broken",
            (await Pipeline.ReadAsync(job))
                .GetProperty("attempts")[0]
                .GetProperty("failure")
                .GetProperty("code")
                .GetString()
        );
    }

    [Fact]
    public async Task A_cancelled_runs_late_report_is_refused_and_kept_in_the_timeline()
    {
        var job = await Pipeline.JobInAsync("GENERATING");
        Assert.Equal(
            "CANCELLED",
            (await world.Server.PostAsync($"/api/v1/runs/{job}/cancel", new { reason = "not wanted" })).String("status")
        );
        var late = await Pipeline.ReportAsync(job, "DRAFT_READY");
        Assert.Equal("FSM_TERMINAL_IMMUTABLE", Code(late));
        var last = (await Pipeline.EventsAsync(job))[^1];
        Assert.Equal(
            ("refused", "FSM_TERMINAL_IMMUTABLE", "DRAFT_READY", "callback_secret"),
            (
                last.GetProperty("outcome").GetString(),
                last.GetProperty("code").GetString(),
                last.GetProperty("to").GetString(),
                last.GetProperty("credential").GetString()
            )
        );
    }

    [Fact]
    public async Task The_second_path_is_the_same_door()
    {
        var job = await Pipeline.JobAsync();
        Assert.Equal(
            204,
            (
                await world.Server.SendAsync(
                    HttpMethod.Post,
                    $"/api/v1/internal/jobs/{job}/status",
                    null,
                    Pipeline.Body("UPLOADING"),
                    ("X-Callback-Secret", Pipeline.Secret)
                )
            ).Status
        );
        var document = JsonSerializer.Deserialize<JsonElement>(
            await File.ReadAllTextAsync(Repository.File("openapi.json"))
        );
        var door = document.GetProperty("paths").GetProperty("/internal/jobs/{run}/status").GetProperty("post");
        Assert.Equal(
            ["200", "204", "401", "404", "409", "413", "415", "429", "default"],
            door.GetProperty("responses").EnumerateObject().Select(r => r.Name).Order()
        );
        Assert.Equal("internalCallbackSecret", door.GetProperty("security")[0].EnumerateObject().Single().Name);
        Assert.Equal(
            5,
            door.GetProperty("responses")
                .GetProperty("409")
                .GetProperty("content")
                .GetProperty("application/json")
                .GetProperty("schema")
                .GetProperty("anyOf")
                .GetArrayLength()
        );
    }

    private async Task<int> RawStatusAsync(string job, string secret)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync("127.0.0.1", new Uri(world.Server.Url).Port);
        await socket.SendAsync(
            Encoding.ASCII.GetBytes(
                $"POST /internal/jobs/{job}/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    + $"Content-Length: 0\r\nX-Callback-Secret: {secret}\r\n\r\n"
            )
        );
        var buffer = new byte[64];
        var read = await socket.ReceiveAsync(buffer);
        return read < 12 ? 0 : int.Parse(Encoding.ASCII.GetString(buffer, 9, 3));
    }
}
