using System.Text.Json;
using Postern.Support;

namespace Postern.Contract;

/// <summary>Each unfinished run explains why, since when, and what happens next.</summary>
public sealed class WhyTests
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task An_agent_that_refuses_is_quoted_with_its_next_try(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await using var agent = await Receiver.StartAsync();
        agent.Answers = _ => (503, "the \"model\" is\nloading now " + new string('x', 900));
        await PutAsync(server, "reviewer", new { kind = "http", url = agent.Url });
        var run = await CreateAsync(server, "reviewer");
        var why = await WhyAsync(server, run, "dispatch_retry");
        Assert.StartsWith(
            "reviewer answered 503 \"the  model  is loading now xxx",
            why.GetProperty("text").GetString(),
            StringComparison.Ordinal
        );
        Assert.InRange(why.GetProperty("text").GetString()!.Length, 200, 400);
        Assert.Matches("…\"; tried (once|[0-9] times), given up at ", Text(why));
        Assert.Equal("try", why.GetProperty("next").GetProperty("what").GetString());
        Assert.True(At(why.GetProperty("next")) > DateTimeOffset.Parse(why.GetProperty("since").GetString()!));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_run_without_a_worker_says_when_one_asked_last_and_then_who_has_it(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await PutAsync(server, "careful", new { kind = "pull" });
        var run = await CreateAsync(server, "careful");
        var never = await WhyAsync(server, run, "no_worker");
        Assert.Equal("No worker of careful has ever asked for work.", never.GetProperty("text").GetString());
        Assert.Equal(("end", Deadline(await RunAsync(server, run))), (What(never), At(never.GetProperty("next"))));
        Assert.Equal(JsonValueKind.Null, (await AgentAsync(server)).GetProperty("askedAt").ValueKind);

        // A worker takes this one; the next is for the next request.
        var claimed = (await server.PostAsync("/api/v1/agents/careful/claim", new { waitSeconds = 10 })).Json;
        Assert.Equal(run, claimed.GetProperty("data")[0].GetProperty("run").GetProperty("id").GetString());
        var asked = (await AgentAsync(server)).GetProperty("askedAt").GetString()!;
        Assert.EndsWith(":00.000Z", asked, StringComparison.Ordinal);
        var has = await WhyAsync(server, run, "awaiting_report");
        Assert.StartsWith(
            "careful has the run (attempt 1); it was last heard of at ",
            Text(has),
            StringComparison.Ordinal
        );

        var next = await CreateAsync(server, "careful");
        const string taken = "A worker of careful takes the run in its turn.";
        await WaitFor.TrueAsync(async () => Text(await WhyAsync(server, next, "awaiting_worker")) == taken);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_question_a_pause_and_a_start_that_waits_are_named(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await PutAsync(server, "careful", new { kind = "pull" });
        var held = (await server.PostAsync("/api/v1/runs", new { agent = "careful", start = false })).String("id");
        Assert.Contains("POST …/start", Text(await WhyAsync(server, held, "not_started")), StringComparison.Ordinal);
        Assert.Equal(200, (await server.PostAsync($"/api/v1/runs/{held}/cancel", null)).Status);
        Assert.False((await RunAsync(server, held)).TryGetProperty("why", out _));

        var run = await CreateAsync(server, "careful");
        var work = (await server.PostAsync("/api/v1/agents/careful/claim", new { waitSeconds = 10 })).Json;
        var token = work.GetProperty("data")[0].GetProperty("token").GetString();
        Assert.Equal(200, (await server.PostAsync($"/api/v1/runs/{run}/pause", null)).Status);
        var paused = await WhyAsync(server, run, "paused");
        Assert.Matches("^The run was paused by .+; POST …/resume lets it go on[.]$", Text(paused));
        Assert.Equal(200, (await server.PostAsync($"/api/v1/runs/{run}/resume", null)).Status);

        var asked = await server.PostAsync(
            $"/api/v1/executions/{run}/request-approval",
            new { title = "Drop the table orders" },
            token
        );
        var approval = asked.String("approval_request_id");
        var why = await WhyAsync(server, run, "awaiting_approval");
        Assert.Equal($"It waits for an approval: Drop the table orders ({approval}).", Text(why));
        Assert.Equal(("expire", asked.String("expires_at")[..19]), (What(why), NextText(why)[..19]));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_full_agent_and_an_idle_session_are_named_and_the_tag_of_the_answer_follows(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await using var agent = await Receiver.StartAsync();
        await PutAsync(
            server,
            "one",
            new
            {
                kind = "http",
                url = agent.Url,
                concurrency = 1,
            }
        );
        var first = await CreateAsync(server, "one");
        await WhyAsync(server, first, "awaiting_report");
        var second = await CreateAsync(server, "one");
        Assert.Equal("The one place of one is taken.", Text(await WhyAsync(server, second, "agent_full")));
        var full = await server.GetAsync("/api/v1/runs/" + second);
        await PutAsync(
            server,
            "one",
            new
            {
                kind = "http",
                url = agent.Url,
                concurrency = 2,
            }
        );
        await WhyAsync(server, second, "awaiting_report");
        Assert.NotEqual(full.Header("ETag"), (await server.GetAsync("/api/v1/runs/" + second)).Header("ETag"));

        await server.StartSessionAsync("s");
        Assert.Equal(200, (await server.SayAsync("s", "hello")).Status);
        await server.SettledAsync();
        var list = (await server.GetAsync("/api/v1/runs?agent=echo&phase=running,queued")).Json.GetProperty("data");
        // A list contains no explanations.
        Assert.All(list.EnumerateArray(), r => Assert.False(r.TryGetProperty("why", out _)));
        var idle = await WhyAsync(server, list[0].GetProperty("id").GetString()!, "awaiting_message");
        Assert.Equal("echo has answered; the run waits for the next message of its session.", Text(idle));
    }

    [Fact]
    public async Task Explanations_show_no_unreadable_run_and_no_secret()
    {
        await using var server = await TestServer.StartAsync();
        await using var agent = await Receiver.StartAsync();
        agent.Answers = _ => (503, "later");
        var put = await PutAsync(server, "reviewer", new { kind = "http", url = agent.Url + "?token=hidden" });
        var run = await CreateAsync(server, "reviewer");
        await WhyAsync(server, run, "dispatch_retry");
        var text = (await server.GetAsync("/api/v1/runs/" + run)).Text;
        Assert.DoesNotContain("hidden", text, StringComparison.Ordinal);
        Assert.DoesNotContain(put.String("secret"), text, StringComparison.Ordinal);
        var other = await server.TokenAsync("read:runs:run_other");
        Assert.Equal(404, (await server.GetAsync("/api/v1/runs/" + run, other)).Status);
    }

    private static async Task<Answer> PutAsync(TestServer server, string slug, object agent)
    {
        var put = await server.SendAsync(HttpMethod.Put, "/api/v1/agents/" + slug, server.RootKey, agent);
        Assert.True(put.Status is 200 or 201, put.ToString());
        return put;
    }

    private static async Task<string> CreateAsync(TestServer server, string agent) =>
        (await server.PostAsync("/api/v1/runs", new { agent })).String("id");

    private static async Task<JsonElement> RunAsync(TestServer server, string run) =>
        (await server.GetAsync("/api/v1/runs/" + run)).Json;

    private static async Task<JsonElement> AgentAsync(TestServer server) =>
        (await server.GetAsync("/api/v1/agents/careful")).Json;

    /// <summary>Waits until the run says that it waits for this.</summary>
    private static async Task<JsonElement> WhyAsync(TestServer server, string run, string code)
    {
        JsonElement why = default;
        await WaitFor.TrueAsync(
            async () =>
                (await RunAsync(server, run)).TryGetProperty("why", out why)
                && why.GetProperty("code").GetString() == code,
            what: $"{code}; it was {(why.ValueKind == JsonValueKind.Undefined ? "nothing" : why.GetRawText())}"
        );
        return why;
    }

    private static string Text(JsonElement why) => why.GetProperty("text").GetString()!;

    private static string? What(JsonElement why) => why.GetProperty("next").GetProperty("what").GetString();

    private static string NextText(JsonElement why) => why.GetProperty("next").GetProperty("at").GetString()!;

    private static DateTimeOffset At(JsonElement next) =>
        DateTimeOffset.Parse(next.GetProperty("at").GetString()!, System.Globalization.CultureInfo.InvariantCulture);

    private static DateTimeOffset Deadline(JsonElement run) =>
        DateTimeOffset.Parse(
            run.GetProperty("deadlineAt").GetString()!,
            System.Globalization.CultureInfo.InvariantCulture
        );
}
