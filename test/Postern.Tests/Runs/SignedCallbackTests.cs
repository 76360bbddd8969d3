using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Runs;

/// <summary>
/// Callbacks that are signed with their secret or token instead of containing it, and attacks by somebody who has
/// recorded one.
/// </summary>
public sealed class SignedCallbackTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private Pipeline _pipeline = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _pipeline = await Pipeline.PutAsync(_server);
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", _server.RootKey, new { kind = "pull" });
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private Task<Answer> SendAsync(string path, byte[] body, params (string, string)[] headers) =>
        _server.SendAsync(HttpMethod.Post, path, null, body, [.. headers, ("Content-Type", "application/json")]);

    private byte[] Report(string status = "UPLOADING") => JsonSerializer.SerializeToUtf8Bytes(_pipeline.Body(status));

    [Theory]
    [InlineData("")]
    [InlineData("/api/v1")]
    public async Task A_report_that_the_callback_secret_signs_is_applied_once(string prefix)
    {
        var (job, body) = (await _pipeline.JobAsync(), Report());
        var path = $"{prefix}/internal/jobs/{job}/status";
        var signed = StandardSigner.Sign(_pipeline.Secret, $"{job}:e-1", body);
        Assert.Equal(204, (await SendAsync(path, body, signed)).Status);
        var again = await SendAsync(path, body, signed);
        Assert.True(again.Status == 200 && again.Json.GetProperty("replayed").GetBoolean(), again.ToString());
        // A repeat with a new signature is still the same report.
        var later = StandardSigner.Sign(_pipeline.Secret, $"{job}:e-1", body, DateTimeOffset.UtcNow.AddSeconds(7));
        Assert.Equal(200, (await SendAsync(path, body, later)).Status);
    }

    [Fact]
    public async Task An_altered_moved_or_stale_message_is_401_and_nothing_is_written()
    {
        var (job, other, body) = (await _pipeline.JobAsync(), await _pipeline.JobAsync(), Report());
        var path = $"/internal/jobs/{job}/status";
        var signed = StandardSigner.Sign(_pipeline.Secret, $"{job}:e-1", body);
        var rows = await _server.CountRowsAsync();
        await RefusedAsync(path, [.. body, (byte)' '], signed);
        await RefusedAsync($"/internal/jobs/{other}/status", body, signed);
        await RefusedAsync(path, body, StandardSigner.Sign(_pipeline.Secret, job + ":", body));
        await RefusedAsync(path, body, StandardSigner.Sign(_pipeline.Secret, job, body));
        await RefusedAsync(path, body, StandardSigner.Sign(_pipeline.Secret, $"{job}x:e", body));
        await RefusedAsync(path, body, StandardSigner.Sign(_pipeline.Secret, $"{job}:e.1", body));
        await RefusedAsync(path, body, StandardSigner.Sign(_pipeline.Secret[..^1], $"{job}:e-1", body));
        foreach (var off in (int[])[-301, 302])
            await RefusedAsync(
                path,
                body,
                StandardSigner.Sign(_pipeline.Secret, $"{job}:e-1", body, DateTimeOffset.UtcNow.AddSeconds(off))
            );
        await RefusedAsync(path, body, [.. signed.Where(h => h.Name != "webhook-id"), ("webhook-id", $"{job}:e-2")]);
        await RefusedAsync(path, body, [.. signed, ("webhook-id", $"{job}:e-1")]);
        await RefusedAsync(path, body, [.. signed, ("x-webhook-project", "proj_other")]);
        // A right signature does not help a wrong secret in the header.
        await RefusedAsync(path, body, [.. signed, ("X-Callback-Secret", _pipeline.Secret[..^1] + "~")]);
        Assert.Equal(rows, await _server.CountRowsAsync());
        Assert.Equal(413, (await SendAsync(path, new byte[(1024 * 1024) + 1], signed)).Status);

        async Task RefusedAsync(string to, byte[] sent, (string, string)[] headers)
        {
            var answer = await SendAsync(to, sent, headers);
            Assert.True(answer.Status == 401, answer.ToString());
        }
    }

    [Fact]
    public async Task A_deleted_secret_signs_nothing_and_another_projects_secret_reaches_no_run_of_this_one()
    {
        var (job, body) = (await _pipeline.JobAsync(), Report());
        var made = await _server.PostAsync("/api/v1/callback-secrets", null);
        var project = await _server.PostAsync("/api/v1/projects", new { name = "other" });
        var foreign = await _server.PostAsync("/api/v1/callback-secrets", null, project.String("rootKey"));
        var path = $"/internal/jobs/{job}/status";
        var byForeign = StandardSigner.Sign(foreign.String("secret"), $"{job}:e-1", body);
        Assert.Equal(401, (await SendAsync(path, body, byForeign)).Status);
        Assert.Equal(
            404,
            (await SendAsync(path, body, [.. byForeign, ("x-webhook-project", project.String("id"))])).Status
        );
        await _server.SendAsync(HttpMethod.Delete, "/api/v1/callback-secrets/" + made.String("id"), _server.RootKey);
        var signed = StandardSigner.Sign(made.String("secret"), $"{job}:e-1", body);
        Assert.Equal(401, (await SendAsync(path, body, signed)).Status);
    }

    [Fact]
    public async Task A_worker_signs_its_report_by_its_token_and_a_repeat_is_known_without_an_event_id()
    {
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "idle" })).String("id");
        var headers = await CallbackAsync("idle");
        var token = headers.Single(h => h.Name == "X-Callback-Token").Value;
        (string, string)[] named = [.. headers.Where(h => h.Name != "X-Callback-Token")];
        var (path, body) = (
            $"/api/v1/runs/{run}/status",
            Encoding.UTF8.GetBytes("{\"status\":\"running\",\"progress\":0.5}")
        );
        var signed = StandardSigner.Sign(token, $"{run}:one", body);
        var first = await SendAsync(path, body, [.. signed, .. named]);
        Assert.True(first.Status == 200, first.ToString());
        var again = await SendAsync(path, body, [.. signed, .. named]);
        Assert.Equal((200, "true"), (again.Status, again.Header("Idempotency-Replayed")));
        // The same id for something else is refused.
        var end = Encoding.UTF8.GetBytes("{\"status\":\"succeeded\"}");
        var other = await SendAsync(path, end, [.. StandardSigner.Sign(token, $"{run}:one", end), .. named]);
        Assert.Equal((409, "EVENT_ID_PAYLOAD_MISMATCH"), (other.Status, other.String("code")));
        // Another attempt, another project, a second credential.
        var ended = StandardSigner.Sign(token, $"{run}:two", end);
        foreach (var more in ((string, string)[])[("x-run-attempt", "2"), ("x-webhook-project", "proj_none")])
            Assert.Equal(401, (await SendAsync(path, end, [.. ended, ("x-run-id", run), more])).Status);
        var twice = await SendAsync(path, end, [.. ended, .. named, ("X-API-Key", _server.RootKey)]);
        Assert.Equal((400, "ambiguous_credentials"), (twice.Status, twice.String("code")));
        Assert.Equal(200, (await SendAsync(path, end, [.. ended, .. named])).Status);
    }

    [Fact]
    public async Task An_execution_is_closed_by_a_message_that_its_token_signs()
    {
        await _server.PostAsync("/api/triggers/user/u/t", new { agent = "idle", promptTemplate = "work" });
        var request = (await _server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, "{}"))
            .Json.GetProperty("data")
            .GetProperty("requestId")
            .GetString()!;
        var session = (await _server.GetAsync($"/api/triggers/user/u/t/requests/{request}"))
            .Json.GetProperty("data")
            .GetProperty("cloudAgentSessionId")
            .GetString()!;
        var token = await _server
            .App.Services.GetRequiredService<CallbackSecrets>()
            .TokenForAsync(
                await _server.ProjectAsync(),
                Postern.Triggers.ExecutionRoutes.Scope,
                "user/u",
                "t",
                request
            );
        (string, string)[] named =
        [
            ("x-webhook-namespace", "user/u"),
            ("x-webhook-trigger-id", "t"),
            ("x-webhook-request-id", request),
        ];
        var body = JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                sessionId = "s",
                cloudAgentSessionId = session,
                status = "completed",
                lastAssistantMessageText = "Done.",
            }
        );
        var signed = StandardSigner.Sign(token, $"{request}:1", body);
        const string path = "/api/callbacks/execution";
        Assert.Equal(401, (await SendAsync(path, [.. body, (byte)' '], [.. signed, .. named])).Status);
        Assert.Equal(
            401,
            (await SendAsync(path, body, [.. StandardSigner.Sign(token, "other:1", body), .. named])).Status
        );
        Assert.Equal(401, (await SendAsync(path, body, named)).Status);
        Assert.Equal(200, (await SendAsync(path, body, [.. signed, .. named])).Status);
        var again = await SendAsync(path, body, [.. signed, .. named]);
        Assert.Contains("already completed", again.Text, StringComparison.Ordinal);
    }

    private async Task<(string Name, string Value)[]> CallbackAsync(string agent)
    {
        var claimed = await _server.PostAsync(
            $"/api/v1/agents/{agent}/claim",
            new { waitSeconds = 10, leaseSeconds = 3600 }
        );
        return
        [
            .. claimed
                .Json.GetProperty("data")[0]
                .GetProperty("callback")
                .GetProperty("headers")
                .EnumerateObject()
                .Select(h => (h.Name, h.Value.GetString()!)),
        ];
    }
}
