using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Access;

/// <summary>
/// The audit: every change of rights and of the destination of data, every act of an operator, every refusal by scope.
/// </summary>
public sealed class AuditTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    /// <summary>Doors whose changes write their audit rows in the transaction of the change.</summary>
    private static readonly string[] ByThemselves =
    [
        "POST /api/v1/keys",
        "POST /api/v1/keys/{id}/rotate",
        "PATCH /api/v1/keys/{id}",
        "DELETE /api/v1/keys/{id}",
        "POST /api/v1/projects",
        "POST /api/v1/auth/jwt",
        "POST /api/v1/auth/public-tokens",
        "POST /api/v1/auth/revoke",
        "POST /api/v1/projects/{ref}/{env}/jwt",
        "POST /api/v1/callback-secrets",
        "DELETE /api/v1/callback-secrets/{id}",
        "POST /api/v1/callback-token-secrets/rotate",
        "PUT /api/v1/approval-services/{service}",
        "DELETE /api/v1/approval-services/{service}",
        "POST /sessions/{key}/kill",
        "POST /api/v1/executions/{run}/approval-response",
        "POST /console/approvals/{approval}/decide",
        "POST /console/keys",
        "POST /console/keys/{key}",
        "POST /console/keys/{key}/rotate",
        "POST /console/keys/{key}/revoke",
        "POST /console/callback-secrets",
        "POST /console/callback-secrets/{secret}/revoke",
        "POST /console/approval-services/{service}/delete",
        "POST /console/tokens",
        "POST /console/tokens/revoke",
    ];

    /// <summary>
    /// Routes that only bring data and change no rights: a timeline, a channel or a transcript shows what came.
    /// </summary>
    private static readonly string[] Data =
    [
        "POST /api/v1/auth/jwt/claims",
        "POST /console/tokens/name",
        "POST /console/settings/look",
        "POST /api/v1/sessions",
        "PATCH /api/v1/sessions/{session}",
        "POST /api/v1/runs",
        "POST /api/v1/runs/{run}/status",
        "POST /api/v1/runs/{run}/heartbeat",
        "POST /api/v1/agents/{slug}/claim",
        "POST /api/v1/executions/{run}/request-approval",
        "POST /api/v1/agents/{slug}/executions/{run}/request-approval",
        "POST /internal/jobs/{run}/status",
        "POST /api/v1/internal/jobs/{run}/status",
    ];

    [Fact]
    public void A_door_that_changes_something_is_audited_or_says_why_not()
    {
        var unsaid = _server
            .Doors.Table.Where(d =>
                d.Handler is ProjectHandler
                && d.Method is not ("GET" or "HEAD")
                && !d.Path.StartsWith("/realtime/", StringComparison.Ordinal)
                && d.AuditedAs is null
            )
            .Select(d => $"{d.Method} {d.Path}")
            .Except(ByThemselves)
            .Except(Data)
            .ToList();
        Assert.True(
            unsaid.Count == 0,
            "Give these doors .Audits(…), or list them as data: " + string.Join(", ", unsaid)
        );
    }

    [Fact]
    public async Task Changes_and_acts_of_operators_are_rows_that_say_who_and_what()
    {
        var (id, key) = await _server.NamedKeyAsync("ops", "admin");
        await _server.StartSessionAsync("s");
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "echo", start = false })).String("id");
        var acts = new (string Action, string Subject, Func<Task<Answer>> Act)[]
        {
            (
                "agent.put",
                "a1",
                () =>
                    _server.SendAsync(
                        HttpMethod.Put,
                        "/api/v1/agents/a1",
                        key,
                        new { kind = "pull", secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=" }
                    )
            ),
            ("agent.deleted", "a1", () => _server.SendAsync(HttpMethod.Delete, "/api/v1/agents/a1", key)),
            (
                "endpoint.put",
                "e1",
                () =>
                    _server.SendAsync(
                        HttpMethod.Put,
                        "/api/v1/webhook-endpoints/e1",
                        key,
                        new { url = "http://127.0.0.1:9/", events = new[] { "run.*" } }
                    )
            ),
            (
                "endpoint.secret_rotated",
                "e1",
                () => _server.PostAsync("/api/v1/webhook-endpoints/e1/rotate-secret", new { }, key)
            ),
            ("endpoint.deleted", "e1", () => _server.SendAsync(HttpMethod.Delete, "/api/v1/webhook-endpoints/e1", key)),
            (
                "trigger.put",
                "u/t",
                () =>
                    _server.PostAsync(
                        "/api/triggers/user/u/t",
                        new
                        {
                            agent = "echo",
                            promptTemplate = "x",
                            webhookAuth = new { scheme = "github", secret = "a secret of nobody's" },
                        },
                        key
                    )
            ),
            (
                "trigger.changed",
                "u/t",
                () =>
                    _server.SendAsync(
                        HttpMethod.Put,
                        "/api/triggers/user/u/t",
                        key,
                        new { webhookAuth = (object?)null }
                    )
            ),
            ("trigger.deleted", "u/t", () => _server.SendAsync(HttpMethod.Delete, "/api/triggers/user/u/t", key)),
            ("run.cancel", run, () => _server.PostAsync($"/api/v1/runs/{run}/cancel", new { }, key)),
            (
                "message.written",
                "s",
                () => _server.PostAsync("/sessions/s/messages", new { role = "system", content = "a note" }, key)
            ),
            ("session.closed", "s", () => _server.PostAsync("/api/v1/sessions/s/close", new { }, key)),
            (
                "token.minted",
                "read:sessions",
                () => _server.PostAsync("/api/v1/auth/public-tokens", new { scopes = new[] { "read:sessions" } }, key)
            ),
            (
                "callback_secret.created",
                "cbs_",
                () =>
                    _server.PostAsync(
                        "/api/v1/callback-secrets",
                        new { secret = "a-callback-secret-that-is-long" },
                        key
                    )
            ),
        };
        foreach (var (action, subject, act) in acts)
        {
            var done = await act();
            Assert.True(done.Status is 200 or 201 or 204, $"{action}: {done}");
            var rows = (await _server.GetAsync("/api/v1/audit?limit=5"))
                .Json.GetProperty("data")
                .EnumerateArray()
                .ToList();
            var row = Assert.Single(
                rows,
                r =>
                    r.GetProperty("action").GetString() == action
                    && r.GetProperty("reason").GetString()!.Contains(subject, StringComparison.Ordinal)
            );
            Assert.Equal(id, row.GetProperty("actor").GetString());
        }
        var all = (await _server.GetAsync("/api/v1/audit?limit=200")).Text;
        foreach (var secret in new[] { "whsec_", "a secret of nobody", "a-callback-secret-that", key })
            Assert.DoesNotContain(secret, all, StringComparison.Ordinal);
        // A request of a browser's user is not an operator's act.
        await _server.StartSessionAsync("b");
        var before = (await _server.GetAsync("/api/v1/audit?limit=1"))
            .Json.GetProperty("data")[0]
            .GetProperty("id")
            .GetString();
        await _server.PostAsync(
            "/sessions/b/messages",
            new { role = "user", content = "hi" },
            await _server.TokenAsync("write:sessions:b")
        );
        Assert.Equal(
            before,
            (await _server.GetAsync("/api/v1/audit?limit=1")).Json.GetProperty("data")[0].GetProperty("id").GetString()
        );
    }

    [Theory]
    [InlineData("POST", "/api/v1/sessions/s/close", "read:sessions")]
    [InlineData("POST", "/sessions/s/kill", "write:sessions")]
    [InlineData("POST", "/api/v1/projects", "write:runs")]
    [InlineData("POST", "/api/v1/auth/public-tokens", "read:runs")]
    [InlineData("POST", "/api/v1/keys", "read:runs")]
    [InlineData("PUT", "/api/v1/agents/x", "read:tasks")]
    [InlineData("POST", "/api/v1/agents/echo/claim", "write:runs")]
    [InlineData("GET", "/api/v1/runs/run_1", "read:sessions")]
    public async Task A_refusal_by_scope_is_a_row_wherever_it_is_decided(string method, string path, string scope)
    {
        await _server.StartSessionAsync("s");
        var (id, key) = await _server.NamedKeyAsync("narrow", scope);
        var refused = await _server.SendAsync(
            new HttpMethod(method),
            path,
            key,
            method == "GET" ? null : new { scopes = new[] { "admin" }, kind = "pull" }
        );
        Assert.True(refused.Status is 403 or 404, refused.ToString());
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/audit?limit=20"))
                .Json.GetProperty("data")
                .EnumerateArray()
                .Any(r =>
                    r.GetProperty("action").GetString() == "scope.refused" && r.GetProperty("actor").GetString() == id
                )
        );
    }
}
