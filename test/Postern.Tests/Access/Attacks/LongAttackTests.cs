using System.Net;
using Microsoft.AspNetCore.Http;
using Postern.Deliveries;
using Postern.Http;
using Postern.Settings;
using Postern.Support;

namespace Postern.Tests.Access.Attacks;

/// <summary>
/// Long work is not finished under a credential that has ended: batches, a slow name server, an open stream.
/// </summary>
public sealed class LongAttackTests : IAsyncLifetime
{
    private RecordingDatabase _database = null!;
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() =>
        _server = await TestServer.StartAsync(wrap: inner => _database = new RecordingDatabase(inner));

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task The_batches_of_a_replay_end_with_the_key_that_asked()
    {
        await using var receiver = await Receiver.StartAsync();
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/e",
            _server.RootKey,
            new
            {
                url = receiver.Url,
                events = new[] { "run.failed" },
                rateLimit = 1,
            }
        );
        await _server.PostAsync("/api/v1/webhook-endpoints/e/test", null);
        await _server.SettledAsync();
        await ManyAsync(8_000);
        var (id, key) = await _server.NamedKeyAsync("thief", "write:deliveries");
        var revoked = WhenSeen(
            "endpoint = $",
            () => _server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", _server.RootKey)
        );
        var answer = await _server.PostAsync("/api/v1/deliveries/replay", new { since = "2020-01-01" }, key);
        Assert.Equal((401, 204), (answer.Status, (await revoked).Status));
        Assert.InRange(await CountAsync("delivery WHERE status = 'dead'"), 1, 8_000);
    }

    [Fact]
    public async Task The_batches_of_a_removal_end_with_the_key_that_asked()
    {
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", _server.RootKey, new { kind = "pull" });
        await Task.WhenAll(
            Enumerable.Range(0, 1_000).Select(_ => _server.PostAsync("/api/v1/runs", new { agent = "p" }))
        );
        var (id, key) = await _server.NamedKeyAsync("thief", "admin:tasks");
        var revoked = WhenSeen(
            "agent = $2 AND ended_at IS NULL",
            () => _server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", _server.RootKey)
        );
        var answer = await _server.SendAsync(HttpMethod.Delete, "/api/v1/agents/p?force=1", key);
        Assert.Equal((401, 204), (answer.Status, (await revoked).Status));
        Assert.InRange(await CountAsync("run WHERE ended_at IS NULL"), 1, 999);
        Assert.Equal(200, (await _server.GetAsync("/api/v1/agents/p")).Status);
    }

    /// <summary>An attacker who names a URL may also serve its name, and answer late.</summary>
    [Fact]
    public async Task A_name_server_that_takes_its_time_gives_none_to_the_caller()
    {
        var caller = new Revocable();
        var http = new DefaultHttpContext();
        http.Features.Set<RequestCaller>(caller);
        using var guard = new OutboundGuard(
            new PosternOptions(),
            async (_, _) =>
            {
                await Task.Yield();
                caller.Ended = true;
                return [IPAddress.Parse("93.184.215.14")];
            }
        );
        Assert.Null(await guard.ValidateAsync("https://slow.example/", default(CancellationToken)));
        await Assert.ThrowsAsync<AuthorityEndedException>(async () =>
            await guard.ValidateAsync(http, "https://slow.example/")
        );
    }

    /// <summary>
    /// A stream depends on every right that opened it: data for administrators ends when its reader is no longer one.
    /// </summary>
    [Fact]
    public async Task A_stream_of_what_is_internal_ends_when_its_reader_is_no_administrator_any_more()
    {
        await _server.PostAsync(
            "/sessions/agent:echo:cron:nightly/messages",
            new { role = "user", content = "internal" }
        );
        var (id, key) = await _server.NamedKeyAsync("operator", "admin");
        await using var stream = await _server.StreamAsync("/sessions/agent:echo:cron:nightly/history", key);
        Assert.Equal((200, "history"), (stream.Status, (await stream.NextAsync())!.Name));
        await _server.SendAsync(
            HttpMethod.Patch,
            $"/api/v1/keys/{id}",
            _server.RootKey,
            new { scopes = new[] { "read:sessions" } }
        );
        var last = await stream.NextAsync(TimeSpan.FromSeconds(2));
        Assert.True(
            last is { Name: "end" } && last.Data.Contains("forbidden", StringComparison.Ordinal),
            last?.ToString()
        );
    }

    [Fact]
    public async Task A_signature_by_a_secret_that_was_replaced_while_the_body_came_decides_nothing()
    {
        var asking = await Asking.PrepareAsync(_server);
        var (run, _, request) = await asking.WaitingAsync();
        var body = $"{{\"requestId\":\"{request}\",\"decision\":\"approved\"}}";
        await using var half = await SlowRequest.BeginAsync(
            _server.Url,
            "POST",
            "/api/v1/webhooks/approval-response",
            System.Text.Encoding.UTF8.GetBytes(body),
            Asking.Sign(body)
        );
        Assert.NotNull(half);
        await half.SendHalfAsync();
        Assert.Equal(
            200,
            (
                await _server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/approval-services/default",
                    _server.RootKey,
                    new { secrets = new[] { "the new secret of the service" } }
                )
            ).Status
        );
        Assert.Equal(401, (await half.EndAsync()).Status);
        Assert.Equal("pending", (await asking.StatusAsync(run)).GetProperty("status").GetString());
    }

    /// <summary>Does something once, on another connection, at a chosen statement.</summary>
    private Task<Answer> WhenSeen(string part, Func<Task<Answer>> act)
    {
        var done = new TaskCompletionSource<Answer>(TaskCreationOptions.RunContinuationsAsynchronously);
        _database.Seen = sql =>
        {
            if (!sql.Contains(part, StringComparison.Ordinal))
                return;
            _database.Seen = null;
            _ = Task.Run(async () => done.SetResult(await act()));
        };
        return done.Task;
    }

    private Task<int> ManyAsync(int count) =>
        _server.Database.WriteAsync(tx =>
            tx.ExecuteAsync(
                $"""
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
                INSERT INTO delivery (project, id, purpose, endpoint, subject, type, detail, body, status, ordered,
                  place, created_at, due_at, lease_no, give_up_at, attempts, tries, ended_at)
                SELECT project, id || '-' || i, purpose, endpoint, subject, type, detail, body, 'dead', ordered, place,
                  created_at, NULL, lease_no, give_up_at, attempts, tries, ended_at FROM delivery, n
                WHERE status = 'delivered'
                """
            )
        );

    private ValueTask<long> CountAsync(string rows) =>
        _server.Database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM " + rows, r => r.GetInt64(0)));

    private sealed class Revocable : RequestCaller
    {
        public override string Party => "test";

        public bool Ended { get; set; }

        public override void EnsureStillAllowed()
        {
            if (Ended)
                throw new AuthorityEndedException("revoked");
        }

        public override ValueTask EnsureStillAllowedAsync()
        {
            EnsureStillAllowed();
            return default;
        }
    }
}
