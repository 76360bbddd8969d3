using System.Text;
using System.Text.Json;
using Postern.Deliveries;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Two writers of one row at once, on both databases: both answers are true afterwards, and a name has one owner.
/// </summary>
public sealed class WritersContract
{
    private const int Rounds = 15;

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_two_who_change_a_trigger_neither_loses_his_change(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        for (var i = 0; i < Rounds; i++)
        {
            var path = $"/api/triggers/user/u/t{i}";
            await server.PostAsync(path, new { agent = "echo", promptTemplate = "x" });
            var answers = await Task.WhenAll(
                server.SendAsync(HttpMethod.Put, path, server.RootKey, new { maxInFlight = 7 }),
                server.SendAsync(HttpMethod.Put, path, server.RootKey, new { rateLimit = 11 })
            );
            Assert.All(answers, a => Assert.True(a.Status == 200, a.ToString()));
            var data = (await server.GetAsync(path)).Json.GetProperty("data");
            Assert.Equal(
                (7, 11),
                (data.GetProperty("maxInFlight").GetInt32(), data.GetProperty("rateLimit").GetInt32())
            );
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_two_who_make_a_trigger_one_has_its_secret(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        for (var i = 0; i < Rounds; i++)
        {
            string[] secrets = [$"the first secret of {i}, long", $"the second secret of {i}, long"];
            await Task.WhenAll(
                secrets.Select(secret =>
                    server.PostAsync(
                        $"/api/triggers/user/u/t{i}",
                        new
                        {
                            agent = "echo",
                            promptTemplate = "x",
                            webhookAuth = new { header = "X-Secret", secret },
                        }
                    )
                )
            );
            var opened = await Task.WhenAll(
                secrets.Select(s =>
                    server.SendAsync(HttpMethod.Post, $"/inbound/user/u/t{i}", null, "{}", ("X-Secret", s))
                )
            );
            Assert.Equal([200, 401], opened.Select(a => a.Status).Order());
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_two_who_make_an_agent_one_is_shown_its_secret(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        for (var i = 0; i < Rounds; i++)
        {
            var answers = await Task.WhenAll(
                Enumerable
                    .Range(0, 4)
                    .Select(_ => PutAsync($"a{i}", new { kind = "http", url = "http://127.0.0.1:9/" }))
            );
            Assert.Equal([200, 200, 200, 201], answers.Select(a => a.Status).Order());
            Assert.Single(
                answers,
                a => a.Json.TryGetProperty("secret", out var secret) && secret.ValueKind != JsonValueKind.Null
            );
            // Names that differ only in case would share the keys of sessions.
            var named = await Task.WhenAll(
                ((string[])[$"Case{i}", $"case{i}", $"CASE{i}"]).Select(n => PutAsync(n, new { kind = "pull" }))
            );
            Assert.Equal([201, 409, 409], named.Select(a => a.Status).Order());
        }

        Task<Answer> PutAsync(string slug, object agent) =>
            server.SendAsync(HttpMethod.Put, "/api/v1/agents/" + slug, server.RootKey, agent);
    }

    /// <summary>
    /// A change that answers "changed" came before the deletion, and one that answers "made" came after it.
    /// </summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task What_was_deleted_is_not_written_anew_by_who_had_read_it(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        for (var i = 0; i < Rounds; i++)
        {
            var trigger = $"/api/triggers/user/u/d{i}";
            await server.PostAsync(trigger, new { agent = "echo", promptTemplate = "x" });
            await DeleteBesideAsync(trigger, new { maxInFlight = 7 });
            var (agent, endpoint) = ($"/api/v1/agents/d{i}", $"/api/v1/webhook-endpoints/d{i}");
            var of = new { kind = "http", url = "http://127.0.0.1:9/" };
            var to = new { url = "http://127.0.0.1:9/", events = new[] { "run.*" } };
            await server.SendAsync(HttpMethod.Put, agent, server.RootKey, of);
            await DeleteBesideAsync(agent, of);
            await server.SendAsync(HttpMethod.Put, endpoint, server.RootKey, to);
            await DeleteBesideAsync(endpoint, to);
        }

        async Task DeleteBesideAsync(string path, object change)
        {
            var changes = Enumerable
                .Range(0, 4)
                .Select(_ => server.SendAsync(HttpMethod.Put, path, server.RootKey, change))
                .ToList();
            var deleted = await server.SendAsync(HttpMethod.Delete, path, server.RootKey);
            Assert.True(deleted.Status is 200 or 204, deleted.ToString());
            var answers = await Task.WhenAll(changes);
            Assert.All(answers, a => Assert.True(a.Status is 200 or 201 or 404, a.ToString()));
            var isMadeAnew = answers.Any(a => a.Status == 201);
            Assert.Equal(isMadeAnew ? 200 : 404, (await server.GetAsync(path)).Status);
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_secret_that_was_rotated_signs_whoever_changes_its_endpoint_meanwhile(Backend backend)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(backend);
        for (var i = 0; i < Rounds; i++)
        {
            var path = $"/api/v1/webhook-endpoints/e{i}";
            await PutAsync(path, i);
            var rotating = server.PostAsync(path + "/rotate-secret", new { overlapSeconds = 0 });
            var puts = await Task.WhenAll(Enumerable.Range(0, 4).Select(n => PutAsync(path, i + n)));
            Assert.All(puts, a => Assert.True(a.Status == 200, a.ToString()));
            var secret = (await rotating).String("secret");
            Assert.InRange((await server.PostAsync(path + "/test", null)).Status, 200, 202);
            var (headers, _, text) = await receiver.NextAsync(i + 1);
            var signature = DeliverySender.Sign(
                [secret],
                headers["webhook-id"].ToString(),
                long.Parse(headers["webhook-timestamp"].ToString()),
                Encoding.UTF8.GetBytes(text)
            );
            Assert.Contains(signature, headers["webhook-signature"].ToString(), StringComparison.Ordinal);
        }

        Task<Answer> PutAsync(string path, int rate) =>
            server.SendAsync(
                HttpMethod.Put,
                path,
                server.RootKey,
                new
                {
                    url = receiver.Url,
                    events = new[] { "session.closed" },
                    rateLimit = 100 + rate,
                }
            );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_two_who_change_a_key_or_a_session_neither_loses_his_change(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        for (var i = 0; i < Rounds; i++)
        {
            var (id, key) = await server.NamedKeyAsync("k", "read:runs", "read:sessions");
            await server.StartSessionAsync("s" + i);
            var answers = await Task.WhenAll(
                PatchAsync("/api/v1/keys/" + id, new { scopes = new[] { "read:runs" } }),
                PatchAsync("/api/v1/keys/" + id, new { name = "renamed" }),
                PatchAsync("/api/v1/sessions/s" + i, new { metadata = new { a = 1 } }),
                PatchAsync("/api/v1/sessions/s" + i, new { tags = new[] { "t" } })
            );
            Assert.All(answers, a => Assert.True(a.Status == 200, a.ToString()));
            Assert.Equal(403, (await server.GetAsync("/api/v1/sessions", key)).Status);
            Assert.Contains(
                "renamed",
                (await server.GetAsync("/api/v1/keys?limit=200")).Text,
                StringComparison.Ordinal
            );
            var session = (await server.GetAsync("/api/v1/sessions/s" + i)).Json;
            Assert.Equal(
                ("{\"a\":1}", "[\"t\"]"),
                (session.GetProperty("metadata").GetRawText(), session.GetProperty("tags").GetRawText())
            );
        }

        Task<Answer> PatchAsync(string path, object change) =>
            server.SendAsync(HttpMethod.Patch, path, server.RootKey, change);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_two_bounds_of_a_plane_neither_is_lost(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        for (var i = 0; i < Rounds; i++)
        {
            await Task.WhenAll(
                relay.AdminAsync(HttpMethod.Patch, "/relay/v1/planes/" + plane.Id, new { envelopes = 100 + i }),
                relay.AdminAsync(HttpMethod.Patch, "/relay/v1/planes/" + plane.Id, new { bytes = 10_000_000 + i })
            );
            var quota = await relay.Database.ReadAsync(tx =>
                tx.FirstAsync("SELECT envelopes, bytes FROM relay_plane", r => (r.GetInt64(0), r.GetInt64(1)))
            );
            Assert.Equal((100 + i, 10_000_000 + i), quota);
        }
    }
}
