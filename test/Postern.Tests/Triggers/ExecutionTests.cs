using System.Text;
using System.Text.Json;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Triggers;

/// <summary>The execution callback, through the whole application.</summary>
public sealed class ExecutionTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private Receiver _agent = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _agent = await Receiver.StartAsync();
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/called",
            _server.RootKey,
            new { kind = "http", url = _agent.Url }
        );
        await _server.PostAsync("/api/triggers/user/user-1/t", new { agent = "called", promptTemplate = "work" });
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _agent.DisposeAsync();
    }

    private sealed record Given(string Request, string Session, (string, string)[] Headers);

    /// <summary>A captured request whose dispatch has arrived, and its callback.</summary>
    private async Task<Given> CaptureAsync()
    {
        var id = (await _server.SendAsync(HttpMethod.Post, "/inbound/user/user-1/t", null, "{}"))
            .Json.GetProperty("data")
            .GetProperty("requestId")
            .GetString()!;
        JsonElement data = default;
        await WaitFor.TrueAsync(() =>
        {
            data = _agent
                .Taken.Where(t =>
                    t.Body.Contains("run.dispatched", StringComparison.Ordinal)
                    && t.Body.Contains(id, StringComparison.Ordinal)
                )
                .Select(t => JsonSerializer.Deserialize<JsonElement>(t.Body).GetProperty("data"))
                .FirstOrDefault();
            return Task.FromResult(data.ValueKind == JsonValueKind.Object);
        });
        return new Given(
            id,
            data.GetProperty("session").GetProperty("id").GetString()!,
            [
                .. data.GetProperty("callback")
                    .GetProperty("headers")
                    .EnumerateObject()
                    .Select(h => (h.Name, h.Value.GetString()!)),
            ]
        );
    }

    private Task<Answer> CallAsync(object? body, params (string, string)[] headers) =>
        _server.SendAsync(HttpMethod.Post, "/api/callbacks/execution", null, body, headers);

    private static object Body(
        Given given,
        string status = "completed",
        string? error = null,
        object? failure = null,
        string? text = null,
        string? session = null
    ) =>
        new
        {
            sessionId = "s-1",
            cloudAgentSessionId = session ?? given.Session,
            status,
            errorMessage = error,
            failure,
            lastAssistantMessageText = text,
            somethingElse = 1,
        };

    private async Task<JsonElement> RequestAsync(string id) =>
        (await _server.GetAsync($"/api/triggers/user/user-1/t/requests/{id}")).Json.GetProperty("data");

    [Fact]
    public void The_token_is_that_of_the_contracts_vector() =>
        Assert.Equal(
            "1f7542d39449570e7fed9d3bd77626adf8b91e693d977e8715ae4c08c8943e5e",
            CallbackSecrets.Token(
                "test-callback-token-secret"u8,
                "webhook-execution-callback",
                "user/user-1",
                "trigger-1",
                "request-1"
            )
        );

    [Fact]
    public void Two_lists_of_parts_never_make_one_token() =>
        Assert.NotEqual(CallbackSecrets.Token("s"u8, "x", "a1:b", "c"), CallbackSecrets.Token("s"u8, "x", "a", "b1:c"));

    [Fact]
    public async Task The_answers_come_in_their_order()
    {
        var given = await CaptureAsync();
        Assert.Equal(
            (400, "Missing webhook identification headers"),
            await ErrorAsync(CallAsync("{}", given.Headers[0]))
        );
        Assert.Equal(
            (400, "Missing webhook identification headers"),
            await ErrorAsync(_server.SendAsync(HttpMethod.Post, "/api/callbacks/execution", _server.RootKey, "{}"))
        );
        foreach (
            var wrong in (string[])
                [
                    "",
                    "x",
                    given.Headers[0].Item2[..^1] + "g",
                    given.Headers[0].Item2.ToUpperInvariant(),
                    new string('0', 64),
                    "é" + given.Headers[0].Item2[2..],
                ]
        )
            Assert.Equal(
                (401, "Unauthorized"),
                await ErrorAsync(CallAsync("not json", [(given.Headers[0].Item1, wrong), .. given.Headers[1..]]))
            );
        foreach (var header in given.Headers[1..])
            Assert.Equal(
                (401, "Unauthorized"),
                await ErrorAsync(
                    CallAsync("{}", [.. given.Headers.Where(h => h != header), (header.Item1, header.Item2 + "x")])
                )
            );
        foreach (
            var body in (object[])
                [
                    "not json",
                    "[]",
                    "{}",
                    "{\"sessionId\":\"s\",\"cloudAgentSessionId\":\"c\",\"status\":\"maybe\"}",
                    "{\"sessionId\":1,\"cloudAgentSessionId\":\"c\",\"status\":\"failed\"}",
                ]
        )
            Assert.Equal((400, "Invalid callback payload"), await ErrorAsync(CallAsync(body, given.Headers)));
        Assert.Equal(413, (await CallAsync(Body(given, error: new string('x', 1024 * 1024)), given.Headers)).Status);
        Assert.Equal(
            (403, "Session ID mismatch"),
            await ErrorAsync(CallAsync(Body(given, session: "session_other"), given.Headers))
        );
        Assert.Equal("inprogress", (await RequestAsync(given.Request)).GetProperty("processStatus").GetString());

        var done = await CallAsync(Body(given, text: "All is well."), given.Headers);
        Assert.Equal((200, "{\"success\":true}"), (done.Status, done.Text));
        var capture = await RequestAsync(given.Request);
        Assert.Equal("success", capture.GetProperty("processStatus").GetString());
        Assert.Equal(
            "succeeded",
            (await _server.GetAsync("/api/v1/runs/" + capture.GetProperty("runId").GetString())).String("phase")
        );
        Assert.Contains(
            "All is well.",
            (await _server.GetAsync($"/api/v1/sessions/{given.Session}/transcript")).Text,
            StringComparison.Ordinal
        );
        var again = await CallAsync(Body(given, "failed", session: "session_other"), given.Headers);
        Assert.Equal(
            (200, "{\"success\":true,\"data\":{\"message\":\"Request already completed\"}}"),
            (again.Status, again.Text)
        );
        Assert.Equal("success", (await RequestAsync(given.Request)).GetProperty("processStatus").GetString());
        Assert.Equal(
            404,
            (await _server.SendAsync(HttpMethod.Post, "/api/callbacks/other", null, "{}", given.Headers)).Status
        );
    }

    [Fact]
    public async Task A_failure_is_told_in_its_own_words_and_one_that_does_not_validate_is_dropped()
    {
        var first = await CaptureAsync();
        Assert.Equal(
            200,
            (
                await CallAsync(
                    Body(
                        first,
                        "failed",
                        "the short text",
                        new
                        {
                            stage = "build",
                            code = "compile",
                            message = "It does not compile.",
                        }
                    ),
                    first.Headers
                )
            ).Status
        );
        var capture = await RequestAsync(first.Request);
        Assert.Equal(
            ("failed", "compile", "It does not compile."),
            (
                capture.GetProperty("processStatus").GetString(),
                capture.GetProperty("reason").GetString(),
                capture.GetProperty("errorMessage").GetString()
            )
        );
        Assert.Equal(
            "build",
            (await _server.GetAsync("/api/v1/runs/" + capture.GetProperty("runId").GetString()))
                .Json.GetProperty("failure")
                .GetProperty("stage")
                .GetString()
        );

        var second = await CaptureAsync();
        Assert.Equal(
            200,
            (
                await CallAsync(Body(second, "interrupted", "stopped by hand", new { message = "" }), second.Headers)
            ).Status
        );
        capture = await RequestAsync(second.Request);
        Assert.Equal(
            ("failed", "interrupted", "stopped by hand"),
            (
                capture.GetProperty("processStatus").GetString(),
                capture.GetProperty("reason").GetString(),
                capture.GetProperty("errorMessage").GetString()
            )
        );
        Assert.Contains(
            "\"dropped\":\"failure\"",
            (await _server.GetAsync($"/api/v1/runs/{capture.GetProperty("runId").GetString()}/events")).Text,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task The_streamed_text_is_the_answer_and_the_callbacks_text_is_not_added()
    {
        var given = await CaptureAsync();
        await _server.PostAsync(
            $"/realtime/v1/sessions/{given.Session}/out/records",
            "{\"records\":[{\"data\":{\"type\":\"text-delta\",\"id\":\"0\",\"delta\":\"streamed\"}}]}"
        );
        await CallAsync(Body(given, text: "said again"), given.Headers);
        var transcript = (await _server.GetAsync($"/api/v1/sessions/{given.Session}/transcript")).Text;
        Assert.Contains("streamed", transcript, StringComparison.Ordinal);
        Assert.DoesNotContain("said again", transcript, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_of_64_simultaneous_callbacks_applies()
    {
        var given = await CaptureAsync();
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 64)
                .Select(i => CallAsync(Body(given, i % 2 == 0 ? "completed" : "failed", "no"), given.Headers))
        );
        Assert.All(answers, a => Assert.Equal(200, a.Status));
        Assert.Equal(1, answers.Count(a => a.Text == "{\"success\":true}"));
        var ended = (await RequestAsync(given.Request)).GetProperty("processStatus").GetString();
        Assert.Equal(
            answers.ToList().FindIndex(a => a.Text == "{\"success\":true}") % 2 == 0 ? "success" : "failed",
            ended
        );
        Assert.Equal(
            0,
            (await _server.GetAsync("/api/triggers/user/user-1/t"))
                .Json.GetProperty("data")
                .GetProperty("inFlight")
                .GetInt32()
        );
    }

    [Fact]
    public async Task A_callback_before_the_dispatchs_own_answer_is_applied()
    {
        var release = new TaskCompletionSource();
        _agent.Handle = _ => release.Task;
        var given = await CaptureAsync();
        Assert.Equal("{\"success\":true}", (await CallAsync(Body(given), given.Headers)).Text);
        release.SetResult();
        Assert.Equal("success", (await RequestAsync(given.Request)).GetProperty("processStatus").GetString());
    }

    [Fact]
    public async Task Tokens_of_live_captures_survive_a_rotation_and_headers_are_utf8()
    {
        await _server.PostAsync(
            "/api/triggers/user/gr%C3%BC%C3%9Fe/t",
            new { agent = "called", promptTemplate = "work" }
        );
        var before = await CaptureAsync();
        Assert.Equal(200, (await _server.PostAsync("/api/v1/callback-token-secrets/rotate", null)).Status);
        var after = await CaptureAsync();
        Assert.NotEqual(before.Headers[0].Item2, after.Headers[0].Item2);
        Assert.Equal(200, (await CallAsync(Body(before), before.Headers)).Status);
        Assert.Equal(200, (await CallAsync(Body(after), after.Headers)).Status);

        await _server.SendAsync(HttpMethod.Post, "/inbound/user/gr%C3%BC%C3%9Fe/t", null, "{}");
        JsonElement data = default;
        await WaitFor.TrueAsync(() =>
        {
            data = _agent
                .Taken.Where(t => t.Body.Contains("user/gr", StringComparison.Ordinal))
                .Select(t => JsonSerializer.Deserialize<JsonElement>(t.Body).GetProperty("data"))
                .FirstOrDefault();
            return Task.FromResult(data.ValueKind == JsonValueKind.Object);
        });
        var headers = data.GetProperty("callback")
            .GetProperty("headers")
            .EnumerateObject()
            .Select(h => (h.Name, Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(h.Value.GetString()!))))
            .ToArray();
        Assert.Equal(
            "{\"success\":true}",
            (
                await CallAsync(
                    new
                    {
                        sessionId = "s",
                        cloudAgentSessionId = data.GetProperty("session").GetProperty("id").GetString(),
                        status = "completed",
                    },
                    headers
                )
            ).Text
        );
    }

    [Fact]
    public async Task A_run_without_a_capture_is_closed_by_its_own_token()
    {
        var id = (await _server.PostAsync("/api/v1/runs", new { agent = "called" })).String("id");
        JsonElement data = default;
        await WaitFor.TrueAsync(() =>
        {
            data = _agent
                .Taken.Where(t => t.Body.Contains(id, StringComparison.Ordinal))
                .Select(t => JsonSerializer.Deserialize<JsonElement>(t.Body).GetProperty("data"))
                .FirstOrDefault();
            return Task.FromResult(data.ValueKind == JsonValueKind.Object);
        });
        var headers = data.GetProperty("callback")
            .GetProperty("headers")
            .EnumerateObject()
            .Select(h => (h.Name, h.Value.GetString()!))
            .ToArray();
        Assert.Equal(
            "{\"success\":true}",
            (
                await CallAsync(
                    new
                    {
                        sessionId = "s",
                        cloudAgentSessionId = "anything",
                        status = "completed",
                        lastAssistantMessageText = "done",
                    },
                    headers
                )
            ).Text
        );
        Assert.Equal(
            ("succeeded", "done"),
            (
                (await _server.GetAsync("/api/v1/runs/" + id)).String("phase"),
                (await _server.GetAsync("/api/v1/runs/" + id)).String("output")
            )
        );
        Assert.Contains(
            "Request already completed",
            (
                await CallAsync(
                    new
                    {
                        sessionId = "s",
                        cloudAgentSessionId = "anything",
                        status = "failed",
                    },
                    headers
                )
            ).Text,
            StringComparison.Ordinal
        );
    }

    private static async Task<(int, string)> ErrorAsync(Task<Answer> sent)
    {
        var answer = await sent;
        Assert.False(answer.Json.GetProperty("success").GetBoolean());
        return (answer.Status, answer.String("error"));
    }
}
