using Postern.Approvals;
using Postern.Relay.Plane;
using Postern.Support;

namespace Postern.Contract;

/// <summary>Quotas hold for simultaneous requests, on both databases.</summary>
public sealed class QuotaContract
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_many_at_once_no_more_are_made_than_there_may_be(Backend backend)
    {
        await using var server = await TestServer.StartAsync(
            backend,
            set: o => (o.Quotas.Endpoints, o.Quotas.Triggers, o.Quotas.Agents, o.Quotas.Keys) = (5, 5, 6, 8)
        );
        var makers = new (string Quota, int Most, Func<int, Task<Answer>> Make)[]
        {
            (
                "Endpoints",
                5,
                i =>
                    server.SendAsync(
                        HttpMethod.Put,
                        $"/api/v1/webhook-endpoints/e{i}",
                        server.RootKey,
                        new { url = "http://127.0.0.1:9/", events = new[] { "run.*" } }
                    )
            ),
            (
                "Triggers",
                5,
                i => server.PostAsync($"/api/triggers/user/u/t{i}", new { agent = "echo", promptTemplate = "x" })
            ),
            // The agent echo and the root key are there from the beginning.
            (
                "Agents",
                5,
                i => server.SendAsync(HttpMethod.Put, $"/api/v1/agents/a{i}", server.RootKey, new { kind = "pull" })
            ),
            ("Keys", 7, i => server.PostAsync("/api/v1/keys", new { name = "k" + i, scopes = new[] { "read:runs" } })),
        };
        foreach (var (quota, most, make) in makers)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(make));
            Assert.True(
                answers.Count(a => a.Status == 201) == most,
                $"{quota}: {answers.Count(a => a.Status == 201)} of {most}, {answers[^1]}"
            );
            Assert.All(
                answers.Where(a => a.Status != 201),
                a => Assert.True(a.Status == 409 && a.Text.Contains(quota, StringComparison.Ordinal), a.ToString())
            );
        }
        // Existing things may be changed.
        Assert.Equal(
            200,
            (
                await server.SendAsync(HttpMethod.Put, "/api/v1/agents/echo", server.RootKey, new { kind = "echo" })
            ).Status
        );
    }

    /// <summary>A person may set aside a limited number of questions, however many forms come at once.</summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_many_questions_at_once_no_more_are_set_aside_than_a_person_may(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var project = await server.ProjectAsync();
        var put = await Task.WhenAll(
            Enumerable
                .Range(0, ApprovalsAside.Most + 64)
                .Select(i =>
                    server.Database.WriteAsync(tx => ApprovalsAside.PutAsync(tx, project, "a person", "apr_" + i))
                )
        );
        Assert.Equal(ApprovalsAside.Most, put.Count(p => p));
        Assert.Equal(
            ApprovalsAside.Most,
            await server.Database.ReadAsync(tx =>
                tx.FirstAsync("SELECT COUNT(*) FROM approval_aside", r => r.GetInt64(0))
            )
        );
    }

    /// <summary>A server joins a limited number of relays, however many commands run at once.</summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_many_relays_that_are_joined_at_once_there_are_no_more_than_may_be(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend, o => o.Relay.DangerousPlainHttp = true);
        var relays = await Task.WhenAll(Enumerable.Range(0, 3 * PlaneStore.Most).Select(_ => TestRelay.StartAsync()));
        try
        {
            var refused = await Task.WhenAll(
                relays.Select(r => Record.ExceptionAsync(() => r.JoinAsync(server)).AsTask())
            );
            Assert.Equal(PlaneStore.Most, refused.Count(r => r is null));
            Assert.All(refused.OfType<Exception>(), r => Assert.IsType<RelayRefusedException>(r));
            Assert.Equal(
                PlaneStore.Most,
                await server.Database.ReadAsync(tx =>
                    tx.FirstAsync("SELECT COUNT(*) FROM joined_relay", r => r.GetInt64(0))
                )
            );
        }
        finally
        {
            foreach (var relay in relays)
                await relay.DisposeAsync();
        }
    }
}
