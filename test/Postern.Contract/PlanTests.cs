using System.Text.RegularExpressions;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Every statement that ordinary work runs finds its rows by an index, however many there are: none goes through a table, or through all of a
/// project's rows of it. The statements are taken from a server at work, so a new one is looked at without anyone adding it.
/// </summary>
public sealed partial class PlanTests
{
    [Fact]
    public async Task No_statement_of_the_work_goes_through_all_rows()
    {
        RecordingDatabase recording = null!;
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(wrap: inner => recording = new RecordingDatabase(inner));
        await server.SendAsync(HttpMethod.Put, "/api/v1/webhook-endpoints/all", server.RootKey, new { url = receiver.Origin, events = new[] { "*" } });
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/called", server.RootKey, new { kind = "http", url = receiver.Url, concurrency = 5 });
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        receiver.Answers = n => n % 3 == 0 ? (500, "") : (200, "");
        recording.Statements.Clear();

        await server.StartSessionAsync("s");
        await server.SayAsync("s", "hello");
        foreach (var agent in (string[])["echo", "called", "p"]) await server.PostAsync("/api/v1/runs", new { agent, idempotencyKey = agent, callback = new { url = receiver.Url } });
        var claimed = (await server.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 5 })).Json.GetProperty("data")[0].GetProperty("run").GetProperty("id").GetString();
        await server.PostAsync($"/api/v1/runs/{claimed}/heartbeat", null);
        await server.PostAsync($"/api/v1/runs/{claimed}/status", new { status = "failed", eventId = "e", failure = new { code = "x" }, artifacts = new { a = 1 } });
        await server.PostAsync($"/api/v1/runs/{claimed}/retry", new { clientRequestId = "r" });
        foreach (var agent in (string[])["echo", "called", "p"])
        {
            await server.PostAsync($"/api/triggers/user/u/{agent}", new { agent, promptTemplate = "{{body}}", sessionMode = "perTrigger" });
            for (var i = 0; i < 2; i++) await server.SendAsync(HttpMethod.Post, $"/inbound/user/u/{agent}", null, "{}", ("Idempotency-Key", "k" + i));
        }
        await WaitFor.TrueAsync(async () => (await server.GetAsync("/api/triggers/user/u/echo/requests?status=success")).Json.GetProperty("data").GetProperty("requests").GetArrayLength() == 2);
        var asking = await Asking.PrepareAsync(server);
        var asked = new List<(string Run, string Token, string Request)>();
        for (var i = 0; i < 3; i++) asked.Add(await asking.WaitingAsync(new { title = "q", expires_in_hours = 0.01, callback_url = receiver.Url }));
        await asking.DecideAsync(asked[0].Request, "approved");
        await server.PostAsync($"/api/v1/executions/{asked[1].Run}/approval-response", new { decision = "rejected" }, await asking.DeciderAsync());
        await server.PostAsync($"/api/v1/executions/{asked[2].Run}/request-approval", new { title = "q", expires_in_hours = 0.01, callback_url = receiver.Url }, asked[2].Token);
        await server.SendAsync(HttpMethod.Get, await asking.LinkAsync(asked[2].Request));
        await server.PostAsync("/api/v1/sessions/s/close", new { });
        server.Clock.Advance(TimeSpan.FromSeconds(70));
        await WaitFor.TrueAsync(async () => (await server.GetAsync("/api/v1/events?type=run.succeeded")).Json.GetProperty("data").GetArrayLength() >= 2);

        var faults = new List<string>();
        Assert.True(recording.Statements.Count > 80, $"{recording.Statements.Count} statements were seen");
        foreach (var sql in recording.Statements.Keys)
        {
            var numbers = Parameter().Matches(sql).Select(m => int.Parse(m.Groups[1].Value)).DefaultIfEmpty(0).Max();
            var plan = await server.Database.ReadAsync(tx => tx.ListAsync("EXPLAIN QUERY PLAN " + sql, r => r.GetString(3), new object?[numbers]));
            faults.AddRange(plan.Where(line => Everything().IsMatch(line)).Select(line => $"{line}\n  {sql}"));
        }
        Assert.True(faults.Count == 0, string.Join("\n", faults));
    }

    [GeneratedRegex(@"\$(\d+)")]
    private static partial Regex Parameter();

    /// <summary>A large table gone through, or found by its project alone.</summary>
    [GeneratedRegex(@"^(SCAN|SEARCH) (session|record|message|run|run_event|run_data|run_attempt|run_request|capture|capture_key|delivery|delivery_attempt|approval)( USING [A-Z ]*(INDEX \w+|PRIMARY KEY))?( \(project=\?\))?$")]
    private static partial Regex Everything();
}
