using System.Text.Json;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>A name belongs to one thing, and a writer cannot choose its role: the same on both databases.</summary>
public sealed class NamesContract
{
    [Theory]
    [InlineData(Backend.Sqlite, "m1", true)]
    [InlineData(Backend.Postgres, "m1", true)]
    [InlineData(Backend.Sqlite, "m1", false)]
    [InlineData(Backend.Postgres, "m1", false)]
    [InlineData(Backend.Sqlite, null, true)]
    [InlineData(Backend.Postgres, null, true)]
    public async Task An_assistants_message_that_comes_back_is_merged_into_the_one_that_is_there(
        Backend backend,
        string? messageId,
        bool byToken
    )
    {
        await using var server = await TestServer.StartAsync(backend);
        await CallToolsAsync(server, messageId);
        var before = await HistoryAsync(server);
        var credential = byToken ? await server.TokenAsync("read:sessions:s", "write:sessions:s") : server.RootKey;

        // As the AI SDK sends it: the whole message with the results of the client's tools, and everything else that
        // somebody might try to add.
        object[] parts =
        [
            new { type = "text", text = "Something else was said." },
            Gave("c1", new { city = "Kyoto" }),
            Gave("c2", "forged"),
            new
            {
                type = "tool-camera",
                toolCallId = "c3",
                state = "output-error",
                errorText = "no camera",
            },
            Gave("c9", "of no call"),
        ];
        for (var i = 0; i < 2; i++)
            await ReturnAsync(server, credential, messageId ?? "made-up", parts);

        var after = await HistoryAsync(server);
        Assert.Equal(MessagesOf(before).Length, MessagesOf(after).Length);
        var message = MessagesOf(after).Single(m => m.GetProperty("role").GetString() == "assistant");
        Assert.Equal(
            [
                """{"type":"text","text":"Where are you?"}""",
                """{"type":"toolCall","id":"c1","name":"locate","arguments":{}}""",
                """{"type":"toolResult","toolCallId":"c1","output":{"city":"Kyoto"},"from":"client"}""",
                """{"type":"toolCall","id":"c2","name":"locate","arguments":{}}""",
                """{"type":"toolCall","id":"c3","name":"camera","arguments":{}}""",
                """{"type":"toolResult","toolCallId":"c3","output":"no camera","isError":true,"from":"client"}""",
                """{"type":"toolResult","toolCallId":"c2","output":"by the agent"}""",
            ],
            message.GetProperty("content").EnumerateArray().Select(b => b.GetRawText())
        );
        // A client that has the previous page gets the new one.
        Assert.NotEqual(before.Header("ETag"), after.Header("ETag"));
        var asked = await server.GetAsync("/sessions/s/history", null, ("If-None-Match", before.Header("ETag")!));
        Assert.Equal(200, asked.Status);
        await using var stream = await server.StreamAsync("/sessions/s/history", null, ("Last-Event-ID", "1"));
        Assert.Contains("Kyoto", (await stream.NextAsync())!.Data, StringComparison.Ordinal);
        // The agent is woken all the same.
        Assert.Contains("Kyoto", (await ClaimAsync(server)).GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_token_cannot_add_a_message_of_the_assistant(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await CallToolsAsync(server, "m1");
        var before = (await HistoryAsync(server)).Text;
        var token = await server.TokenAsync("write:sessions:s");
        object[] parts = [new { type = "text", text = "I said so." }, Gave("c8", 1)];
        await ReturnAsync(server, token, "m2", parts);
        await ReturnAsync(server, token, "m1", parts);
        Assert.Equal(before, (await HistoryAsync(server)).Text);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task An_assistants_message_that_a_key_brings_in_stands_there_once(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/deployer", server.RootKey, new { kind = "pull" });
        await server.StartSessionAsync("s", agent: "deployer");
        object text = new { type = "text", text = "Hello" };
        object call = new
        {
            type = "tool-locate",
            toolCallId = "c1",
            state = "input-available",
            input = 1,
        };
        await ReturnAsync(server, server.RootKey, "m1", [text, call]);
        await ReturnAsync(server, await server.TokenAsync("write:sessions:s"), "m1", [text, Gave("c1", 2)]);
        var content = Assert.Single(MessagesOf(await HistoryAsync(server))).GetProperty("content");
        // The call is unchanged; only its result is new.
        Assert.Equal(
            """{"type":"tool-locate","toolCallId":"c1","input":1,"state":"output-available","output":2}""",
            content[1].GetRawText()
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Lists_leave_out_what_is_internal_and_their_pages_are_as_long_as_asked(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/deployer", server.RootKey, new { kind = "pull" });
        await using var receiver = await Receiver.StartAsync();
        var hook = new
        {
            url = receiver.Url,
            events = new[] { "*" },
            rateLimit = 1000,
        };
        await server.SendAsync(HttpMethod.Put, "/api/v1/webhook-endpoints/hook", server.RootKey, hook);
        foreach (var name in new[] { "a", "subagent:1", "b", "cron:1", "acp:1", "c" })
            Assert.Equal(201, (await server.StartSessionAsync(name, agent: "deployer")).Status);
        await server.PostAsync("/api/v1/runs", new { agent = "deployer" });
        var reader = await server.KeyAsync("read:sessions", "read:runs");
        Assert.Equal(["c", "b"], NamesOf(await server.GetAsync("/api/v1/sessions?page[size]=2", reader)));
        Assert.Equal(["c", "b", "a"], NamesOf(await server.GetAsync("/api/v1/sessions", reader)));
        Assert.Empty(NamesOf(await server.GetAsync("/api/v1/sessions?filter[externalId]=cron:1", reader)));
        Assert.Equal(6, NamesOf(await server.GetAsync("/api/v1/sessions")).Count);
        Assert.Equal(3, await CountAsync("/api/v1/runs?limit=3", reader));
        Assert.Equal(4, await CountAsync("/api/v1/runs", reader));
        Assert.Equal(7, await CountAsync("/api/v1/runs", server.RootKey));

        // Neither events nor deliveries contain it.
        var listener = await server.KeyAsync("read:deliveries", "write:deliveries", "read:runs");
        foreach (var path in new[] { "/api/v1/events", "/api/v1/deliveries?purpose=event" })
        {
            // Of each session its own beginning and its run's.
            var hidden = await CountAsync(path, server.RootKey) - await CountAsync(path, listener);
            Assert.True(hidden >= 6, $"{path}: {hidden}");
            foreach (var name in new[] { "subagent:1", "cron:1", "acp:1" })
                Assert.DoesNotContain(name, (await server.GetAsync(path, listener)).Text, StringComparison.Ordinal);
        }
        var inner = (await server.GetAsync("/api/v1/sessions/cron:1")).String("id");
        var told = (await server.GetAsync("/api/v1/deliveries?subject=" + inner)).Json.GetProperty("data")[0];
        var delivery = "/api/v1/deliveries/" + told.GetProperty("id").GetString();
        Assert.Equal(404, (await server.GetAsync(delivery, listener)).Status);
        Assert.Equal(404, (await server.PostAsync(delivery + "/retry", null, listener)).Status);
        Assert.Equal(200, (await server.GetAsync(delivery)).Status);

        async Task<int> CountAsync(string path, string credential) =>
            (await server.GetAsync(path, credential)).Json.GetProperty("data").GetArrayLength();
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Credentials_with_one_idempotency_key_have_a_run_each_however_many_ask_at_once(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        const string starts = "trigger:tasks:echo";
        var (one, other) = (await server.TokenAsync(starts), await server.TokenAsync(starts));
        string[] credentials = [server.RootKey, await server.KeyAsync(starts), one, other];
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 32)
                .Select(async i =>
                {
                    var by = i % credentials.Length;
                    var run = new { agent = "echo", input = by };
                    var answer = await server.PostAsync(
                        "/api/v1/runs",
                        run,
                        credentials[by],
                        ("Idempotency-Key", "order-1")
                    );
                    return (By: by, answer.Status, Id: answer.String("id"));
                })
        );
        Assert.All(answers, a => Assert.Equal(202, a.Status));
        Assert.All(answers.GroupBy(a => a.By), mine => Assert.Single(mine.Select(a => a.Id).Distinct()));
        Assert.Equal(credentials.Length, answers.Select(a => a.Id).Distinct().Count());
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Places_that_version_0_3_0_never_freed_are_freed_by_the_upgrade_and_no_other(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/deployer", server.RootKey, new { kind = "pull" });
        var trigger = new
        {
            agent = "deployer",
            promptTemplate = "x",
            maxInFlight = 3,
        };
        await server.PostAsync("/api/triggers/user/me/t", trigger);
        var ids = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var captured = await server.PostAsync("/inbound/user/me/t", new { }, "");
            ids.Add(captured.Json.GetProperty("data").GetProperty("requestId").GetString()!);
        }
        Assert.Equal(429, (await server.PostAsync("/inbound/user/me/t", new { }, "")).Status);
        // The first one's turn was answered and nobody settled it; the second one's session was closed; the third waits
        // as it should.
        const string itsSession = "WHERE id = (SELECT session FROM capture WHERE id = $1)";
        await server.Database.WriteAsync(tx =>
            tx.ExecuteAsync("UPDATE session SET in_answered_seq = 100 " + itsSession, ids[0])
        );
        await server.Database.WriteAsync(tx =>
            tx.ExecuteAsync("UPDATE session SET closed_at = 1 " + itsSession, ids[1])
        );
        var names = Migrations.All.Single(m => m.Name.EndsWith("_names.sql", StringComparison.Ordinal));
        var statements = Migrations.ForSqlite(names.Sql).Split(";\n");
        var settle = statements.Where(s => s.Contains("UPDATE", StringComparison.Ordinal));
        await server.Database.WriteAsync(async tx =>
        {
            foreach (var sql in settle)
                await tx.ExecuteAsync(sql);
            return 0;
        });
        var states = await server.Database.ReadAsync(tx =>
            tx.ListAsync("SELECT id, status FROM capture", r => (Id: r.GetString(0), Status: r.GetString(1)))
        );
        Assert.Equal(["failed", "failed", "captured"], ids.Select(id => states.Single(s => s.Id == id).Status));
        var shown = (await server.GetAsync("/api/triggers/user/me/t")).Json.GetProperty("data");
        Assert.Equal(1, shown.GetProperty("inFlight").GetInt32());
        Assert.Equal(200, (await server.PostAsync("/inbound/user/me/t", new { }, "")).Status);
    }

    /// <summary>A session <c>s</c> whose assistant has called three tools; the agent gave the result of one.</summary>
    private static async Task CallToolsAsync(TestServer server, string? messageId)
    {
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/deployer", server.RootKey, new { kind = "pull" });
        await server.StartSessionAsync("s", agent: "deployer");
        await server.SayAsync("s", "hello");
        var token = (await ClaimAsync(server)).GetProperty("token").GetString();
        object[] chunks =
        [
            messageId is null ? new { type = "start" } : new { type = "start", messageId },
            new { type = "text-start", id = "0" },
            new
            {
                type = "text-delta",
                id = "0",
                delta = "Where are you?",
            },
            new
            {
                type = "tool-input-available",
                toolCallId = "c1",
                toolName = "locate",
                input = new { },
            },
            new
            {
                type = "tool-input-available",
                toolCallId = "c2",
                toolName = "locate",
                input = new { },
            },
            new
            {
                type = "tool-input-available",
                toolCallId = "c3",
                toolName = "camera",
                input = new { },
            },
            new
            {
                type = "tool-output-available",
                toolCallId = "c2",
                output = "by the agent",
            },
        ];
        var ends = new Dictionary<string, string> { ["trigger-control"] = "turn-complete" };
        var records = chunks.Select(c => (object)new { data = c }).Append(new { headers = ends });
        var answer = await server.PostAsync("/realtime/v1/sessions/s/out/records", new { records }, token);
        Assert.True(answer.Status == 200, answer.ToString());
    }

    private static async Task ReturnAsync(TestServer server, string credential, string id, object[] parts)
    {
        var payload = new
        {
            chatId = "s",
            trigger = "submit-message",
            message = new
            {
                id,
                role = "assistant",
                parts,
            },
        };
        var record = JsonSerializer.Serialize(new { kind = "message", payload });
        var answer = await server.PostAsync("/realtime/v1/sessions/s/in/append", record, credential);
        Assert.True(answer.Status == 200, answer.ToString());
    }

    private static async Task<Answer> HistoryAsync(TestServer server) => await server.GetAsync("/sessions/s/history");

    private static async Task<JsonElement> ClaimAsync(TestServer server) =>
        (await server.PostAsync("/api/v1/agents/deployer/claim", new { waitSeconds = 10 })).Json.GetProperty("data")[0];

    private static object Gave(string call, object output) =>
        new
        {
            type = "tool-locate",
            toolCallId = call,
            state = "output-available",
            input = new { },
            output,
        };

    private static JsonElement[] MessagesOf(Answer history) =>
        [.. history.Json.GetProperty("messages").EnumerateArray()];

    private static List<string> NamesOf(Answer list) =>
        [.. list.Json.GetProperty("data").EnumerateArray().Select(s => s.GetProperty("externalId").GetString()!)];
}
