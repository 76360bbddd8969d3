using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Access.Attacks;

/// <summary>
/// Internal sessions are hidden at other routes too: before they exist, and where their runs and questions are shown.
/// </summary>
public sealed class InternalAttackTests : IAsyncLifetime
{
    private const string Name = "subagent:x";
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/deployer", _server.RootKey, new { kind = "pull" });
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Starting_one_is_answered_alike_whether_it_is_there_or_not(bool isThere)
    {
        if (isThere)
            await _server.StartSessionAsync(Name, agent: "deployer");
        var starter = await _server.KeyAsync("write:tasks", "write:sessions", "read:sessions");
        // The run of what is there is on its way to its worker.
        await _server.SettledAsync();
        var rows = await _server.CountRowsAsync();
        var refused = await _server.StartSessionAsync(Name, starter, "deployer");
        Assert.Equal((404, "{\"error\":\"Session not found\"}"), (refused.Status, refused.Text));
        Assert.Equal("false", refused.Header("x-should-retry"));
        Assert.Equal(rows, await _server.CountRowsAsync());
    }

    [Fact]
    public async Task Starting_an_internal_session_returns_no_token()
    {
        var made = await _server.StartSessionAsync(Name, agent: "deployer");
        Assert.Equal((201, JsonValueKind.Null), (made.Status, made.Json.GetProperty("publicAccessToken").ValueKind));
    }

    [Fact]
    public async Task A_stream_that_waits_for_its_birth_is_refused_as_one_of_it_is()
    {
        var reader = await _server.TokenAsync("read:sessions:" + Name, "write:sessions:" + Name);
        var waiting = await _server.GetAsync($"/realtime/v1/sessions/{Name}/out", reader, ("Timeout-Seconds", "1"));
        Assert.Equal(404, waiting.Status);
        // A stream may wait for an ordinary name.
        var token = await _server.TokenAsync("read:sessions:later");
        const string later = "/realtime/v1/sessions/later/out";
        await using var other = await _server.StreamAsync(later, token, ("Timeout-Seconds", "1"));
        Assert.Equal(200, other.Status);
    }

    [Theory]
    [InlineData("/realtime/v1/sessions/subagent:x/in")]
    [InlineData("/sessions/subagent:x/history")]
    public async Task An_administrator_who_is_one_no_longer_reads_no_further(string path)
    {
        await _server.StartSessionAsync(Name, agent: "deployer");
        var (id, key) = await _server.NamedKeyAsync("ada", "admin");
        await using var stream = await _server.StreamAsync(path, key);
        Assert.Equal(200, stream.Status);
        var narrower = new { scopes = new[] { "read:sessions" } };
        var patched = await _server.SendAsync(HttpMethod.Patch, "/api/v1/keys/" + id, _server.RootKey, narrower);
        Assert.True(patched.Status == 200, patched.ToString());
        ServerEvent? last = null;
        while (await stream.NextAsync(TimeSpan.FromSeconds(5)) is { } read)
            last = read;
        Assert.Contains("forbidden", last?.Data ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_runs_are_no_runs_to_who_may_not_see_it()
    {
        var run = (await _server.StartSessionAsync(Name, agent: "deployer")).String("runId");
        await _server.StartSessionAsync("plain", agent: "deployer");
        var reader = await _server.KeyAsync("read:runs", "write:runs", "read:sessions", "write:sessions");
        var missing = await _server.GetAsync("/api/v1/runs/run_none", reader);
        foreach (var path in new[] { "", "/events", "?wait=1" })
        {
            var hidden = await _server.GetAsync($"/api/v1/runs/{run}{path}", reader);
            Assert.Equal((404, missing.Text), (hidden.Status, hidden.Text));
        }
        foreach (var act in new[] { "start", "cancel", "pause", "resume" })
            Assert.Equal(404, (await _server.PostAsync($"/api/v1/runs/{run}/{act}", null, reader)).Status);
        var retried = await _server.PostAsync($"/api/v1/runs/{run}/retry", new { clientRequestId = "a" }, reader);
        Assert.Equal(404, retried.Status);
        Assert.Equal(404, (await _server.GetAsync($"/api/v1/executions/{run}/approval-status", reader)).Status);
        var joined = await _server.PostAsync("/api/v1/runs", new { agent = "deployer", sessionId = Name }, reader);
        Assert.Equal((422, "unknown_session"), (joined.Status, joined.String("code")));
        Assert.Equal(1, (await _server.GetAsync("/api/v1/runs", reader)).Json.GetProperty("data").GetArrayLength());
        Assert.Equal(2, (await _server.GetAsync("/api/v1/runs")).Json.GetProperty("data").GetArrayLength());
        Assert.Equal(200, (await _server.GetAsync("/api/v1/runs/" + run)).Status);
    }

    [Fact]
    public async Task Its_worker_reads_and_reports_as_any_other()
    {
        var (run, token) = await WorkAsync();
        Assert.Equal(200, (await _server.GetAsync("/api/v1/runs/" + run, token)).Status);
        Assert.Equal(200, (await AskAsync(run, token, "May I?")).Status);
        Assert.Equal(200, (await _server.GetAsync($"/api/v1/executions/{run}/approval-status", token)).Status);
    }

    [Fact]
    public async Task Its_questions_are_for_administrators_and_for_who_may_decide_them()
    {
        var (run, token) = await WorkAsync();
        var asked = (await AskAsync(run, token, "Secret plan")).String("approval_request_id");

        var reader = await _server.KeyAsync("read:all");
        foreach (var path in new[] { "/api/v1/approvals", "/api/v1/approvals?status=pending" })
            Assert.DoesNotContain("Secret plan", (await _server.GetAsync(path, reader)).Text, StringComparison.Ordinal);
        var hidden = await _server.GetAsync("/api/v1/approvals/" + asked, reader);
        var missing = await _server.GetAsync("/api/v1/approvals/apr_none", reader);
        Assert.Equal((404, missing.Text), (hidden.Status, hidden.Text));
        foreach (var key in new[] { await _server.KeyAsync("read:approvals", "write:approvals"), _server.RootKey })
        {
            var list = await _server.GetAsync("/api/v1/approvals?status=pending", key);
            Assert.Contains("Secret plan", list.Text, StringComparison.Ordinal);
            Assert.Equal(200, (await _server.GetAsync("/api/v1/approvals/" + asked, key)).Status);
        }
    }

    /// <summary>A run of an internal session, with its worker's token.</summary>
    private async Task<(string Run, string Token)> WorkAsync()
    {
        await _server.StartSessionAsync(Name, agent: "deployer");
        await _server.SayAsync(Name, "go");
        var claimed = await _server.PostAsync("/api/v1/agents/deployer/claim", new { waitSeconds = 10 });
        var first = claimed.Json.GetProperty("data")[0];
        return (first.GetProperty("run").GetProperty("id").GetString()!, first.GetProperty("token").GetString()!);
    }

    private Task<Answer> AskAsync(string run, string token, string title) =>
        _server.PostAsync($"/api/v1/executions/{run}/request-approval", new { title }, token);
}
