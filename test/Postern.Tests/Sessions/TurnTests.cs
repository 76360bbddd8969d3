using Postern.Support;

namespace Postern.Tests.Sessions;

public sealed class TurnTests
{
    private const string Out = "/realtime/v1/sessions/s/out";

    private static async Task<int> MessagesAsync(TestServer server, string session = "s") =>
        (await server.GetAsync($"/sessions/{session}/history")).Json.GetProperty("messages").GetArrayLength();

    [Fact]
    public async Task A_message_is_answered_and_the_answer_is_one_message_of_the_transcript()
    {
        await using var server = await TestServer.StartAsync();
        await server.StartSessionAsync("s");
        await server.SayAsync("s", "one two three");
        await using var stream = await server.StreamAsync(Out);
        var records = await stream.RecordsAsync(r => r.Any(EventReader.IsTurnComplete));
        Assert.True(
            records.Count(r => r.GetProperty("body").GetString()!.Contains("text-delta", StringComparison.Ordinal)) >= 3
        );
        Assert.Contains("[\"session-in-event-id\",\"0\"]", records[^1].GetRawText(), StringComparison.Ordinal);
        var messages = (await server.GetAsync("/sessions/s/history")).Json.GetProperty("messages");
        Assert.Equal(
            ("user", "assistant"),
            (messages[0].GetProperty("role").GetString(), messages[1].GetProperty("role").GetString())
        );
        Assert.Equal(
            "[{\"type\":\"text\",\"text\":\"one two three\"}]",
            messages[1].GetProperty("content").GetRawText()
        );
        Assert.StartsWith("run_", messages[1].GetProperty("runId").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_takes_the_next_message_inside_its_idle_window_and_a_continuation_after_it()
    {
        await using var server = await TestServer.StartAsync();
        var first = (await server.StartSessionAsync("s")).String("runId");
        await server.SayAsync("s", "a");
        await WaitFor.TrueAsync(async () => await MessagesAsync(server) == 2);
        await server.SayAsync("s", "b");
        await WaitFor.TrueAsync(async () => await MessagesAsync(server) == 4);
        Assert.Equal(first, (await server.GetAsync("/api/v1/sessions/s")).String("currentRunId"));
        server.Clock.Advance(TimeSpan.FromSeconds(40));
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/sessions/s")).Json.GetProperty("idle").GetBoolean()
        );
        Assert.Equal(
            1,
            (await server.GetAsync("/api/v1/sessions?filter[status]=IDLE")).Json.GetProperty("data").GetArrayLength()
        );
        await server.SayAsync("s", "c");
        await WaitFor.TrueAsync(async () => await MessagesAsync(server) == 6);
        Assert.NotEqual(first, (await server.GetAsync("/api/v1/sessions/s")).String("currentRunId"));
        var run = await server.Database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT continuation, previous_run FROM run ORDER BY created_at DESC LIMIT 1",
                r => (r.GetInt64(0), r.GetString(1))
            )
        );
        Assert.Equal((1, first), run);
    }

    [Fact]
    public async Task A_stop_ends_the_turn_with_what_text_there_was()
    {
        await using var server = await TestServer.StartAsync(set: o => o.Runs.EchoDelayMilliseconds = 5);
        await server.StartSessionAsync("s");
        await using var stream = await server.StreamAsync(Out);
        await server.SayAsync("s", string.Join(' ', Enumerable.Range(0, 500).Select(i => "w" + i)));
        await stream.RecordsAsync(r => r.Count > 5);
        await server.PostAsync("/realtime/v1/sessions/s/in/append", "{\"kind\":\"stop\"}");
        await stream.RecordsAsync(r => r.Any(EventReader.IsTurnComplete));
        var answer = (await server.GetAsync("/sessions/s/history")).Json.GetProperty("messages")[1].GetRawText();
        Assert.Contains("w0 w1", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("w499", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_close_on_the_channel_closes_the_session()
    {
        await using var server = await TestServer.StartAsync();
        await server.StartSessionAsync("s");
        await server.PostAsync(
            "/realtime/v1/sessions/s/in/append",
            "{\"kind\":\"message\",\"payload\":{\"chatId\":\"s\",\"trigger\":\"close\"}}"
        );
        Assert.Equal("CLOSED", (await server.GetAsync("/api/v1/sessions/s")).String("status"));
    }

    [Fact]
    public async Task A_session_may_be_started_with_its_first_message()
    {
        await using var server = await TestServer.StartAsync();
        await server.StartSessionAsync(
            "s",
            more: new
            {
                type = "chat",
                externalId = "s",
                taskIdentifier = "echo",
                triggerConfig = new
                {
                    basePayload = new
                    {
                        trigger = "submit-message",
                        message = new
                        {
                            role = "user",
                            parts = new[] { new { type = "text", text = "in the payload" } },
                        },
                    },
                },
            }
        );
        await WaitFor.TrueAsync(async () => await MessagesAsync(server) == 2);
        Assert.Contains(
            "in the payload",
            (await server.GetAsync("/sessions/s/history")).Json.GetProperty("messages")[1].GetRawText(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_message_whose_agent_is_gone_is_kept_and_answered_when_it_is_back()
    {
        await using var server = await TestServer.StartAsync();
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/shy", server.RootKey, new { kind = "echo" });
        await server.StartSessionAsync("s", agent: "shy");
        Assert.Equal(409, (await server.SendAsync(HttpMethod.Delete, "/api/v1/agents/shy", server.RootKey)).Status);
        Assert.Equal(
            204,
            (await server.SendAsync(HttpMethod.Delete, "/api/v1/agents/shy?force=1", server.RootKey)).Status
        );
        var kept = await server.SayAsync("s", "is anyone there");
        Assert.Equal((200, false), (kept.Status, kept.Json.GetProperty("runEnsured").GetBoolean()));
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/shy", server.RootKey, new { kind = "echo" });
        await WaitFor.TrueAsync(async () => await MessagesAsync(server) == 2);
    }

    [Fact]
    public async Task A_message_that_nobody_will_answer_ends_with_an_error_that_says_so()
    {
        await using var server = await TestServer.StartAsync();
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/gone", server.RootKey, new { kind = "echo" });
        await server.StartSessionAsync("s", agent: "gone");
        await server.SendAsync(HttpMethod.Delete, "/api/v1/agents/gone?force=1", server.RootKey);
        await server.SayAsync("s", "hello");
        await using var stream = await server.StreamAsync(Out);
        server.Clock.Advance(TimeSpan.FromMinutes(6));
        var records = await stream.RecordsAsync(r => r.Any(EventReader.IsTurnComplete));
        Assert.Contains("not registered", string.Concat(records.Select(r => r.GetRawText())), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pull_agent_that_never_comes_does_not_leave_the_client_waiting()
    {
        await using var server = await TestServer.StartAsync();
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/slow",
            server.RootKey,
            new { kind = "pull", deadlines = new { queuedSeconds = 60 } }
        );
        await server.StartSessionAsync("s", agent: "slow");
        await server.SayAsync("s", "hello");
        await using var stream = await server.StreamAsync(Out);
        await WaitFor.TrueAsync(async () =>
            await server.Database.ReadAsync(tx =>
                tx.FirstAsync("SELECT COUNT(*) FROM run WHERE claim_at IS NOT NULL", r => r.GetInt64(0))
            ) == 1
        );
        server.Clock.Advance(TimeSpan.FromSeconds(61));
        var records = await stream.RecordsAsync(r => r.Any(EventReader.IsTurnComplete));
        Assert.Contains(
            "No agent took the run on in time",
            string.Concat(records.Select(r => r.GetRawText())),
            StringComparison.Ordinal
        );
        Assert.Equal(
            "timed_out",
            await server.Database.ReadAsync(tx => tx.FirstAsync("SELECT status FROM run", r => r.GetString(0)))
        );
    }
}
