using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Postern.Access;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>What a node knows about access equals the database, however much of it there is, on both databases.</summary>
public sealed class AccessContract
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_start_reads_every_revocation_and_every_changed_key(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var project = await server.ProjectAsync();
        var late = await server.TokenAsync("read:sessions");
        var (id, key) = await server.NamedKeyAsync("late", "read:sessions");
        await AddRevocationsAsync(server.Database, project, 100_000);
        await server.PostAsync("/api/v1/auth/revoke", new { token = late });
        await server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", server.RootKey);

        // A node that starts now, with nothing in memory.
        var master = server.App.Services.GetRequiredService<MasterKey>();
        var store = new KeyStore(server.Database);
        var (revocations, known) = (new Revocations(), new KnownProjects());
        var ring = new KeyRing(store, known, master);
        var clock = TimeProvider.System;
        using var watch = new AccessWatch(server.Database, store, ring, revocations, new CallbackSecrets(server.Database, known, master, clock), new ApprovalServices(server.Database, master, clock), clock, NullLogger<AccessWatch>.Instance);
        await watch.RefreshAsync();
        var tokens = new Tokens(ring, store, revocations, master, server.Database, clock);
        Assert.Equal((null, TokenFault.Revoked), await tokens.VerifyAsync(late, server.Database.Now));
        Assert.Null(await ring.VerifyAsync(key, server.Database.Now));
        Assert.Equal(100_000 + 3, revocations.Count);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_a_change_and_the_revocation_of_who_makes_it_one_comes_first(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        for (var round = 0; round < 8; round++)
        {
            var (id, key) = await server.NamedKeyAsync("admin", "admin");
            var made = Enumerable.Range(0, 8).Select(i => server.PostAsync("/api/v1/keys", new { name = $"r{round} {i}", scopes = new[] { "read:runs" } }, key)).ToList();
            var revoked = await server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", server.RootKey);
            Assert.Equal(204, revoked.Status);
            // Whatever is made after the answer to the revocation is made by nobody.
            var after = await server.PostAsync("/api/v1/keys", new { name = "after", scopes = new[] { "read:runs" } }, key);
            Assert.Equal(401, after.Status);
            var answers = await Task.WhenAll(made);
            Assert.All(answers, a => Assert.True(a.Status is 201 or 401, a.ToString()));
            var kept = (await server.GetAsync("/api/v1/keys?limit=200")).Json.GetProperty("data").EnumerateArray().Count(k => k.GetProperty("name").GetString()!.StartsWith($"r{round} ", StringComparison.Ordinal));
            Assert.Equal(answers.Count(a => a.Status == 201), kept);
        }
    }

    /// <summary>
    /// The first use of a key fills a cache; a revocation that races it must not be forgotten by that.
    /// </summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_revocation_that_races_a_first_use_is_in_force_when_it_is_answered(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        for (var round = 0; round < 60; round++)
        {
            var (id, key) = await server.NamedKeyAsync("raced", "read:runs");
            var uses = Enumerable.Range(0, 4).Select(_ => server.GetAsync("/api/v1/runs", key)).ToList();
            var token = server.TokenOfAsync(key, "read:runs");
            Assert.Equal(204, (await server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", server.RootKey)).Status);
            Assert.Equal(401, (await server.GetAsync("/api/v1/runs", key)).Status);
            Assert.All(await Task.WhenAll(uses), a => Assert.True(a.Status is 200 or 401, a.ToString()));
            // What was minted in that moment is dead, if it was minted at all.
            try
            {
                Assert.Equal(401, (await server.GetAsync("/api/v1/runs", await token)).Status);
            }
            catch (KeyNotFoundException)
            {
                // Refused: there is no token.
            }
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_many_first_uses_of_a_one_time_token_on_two_nodes_one_wins(Backend backend)
    {
        var database = backend == Backend.Postgres ? PostgresServer.NewDatabase() : null;
        await using var one = await TestServer.StartAsync(backend, postgres: database);
        await using var other = backend == Backend.Postgres ? await TestServer.StartAsync(backend, postgres: database)
            : null;
        for (var round = 0; round < 10; round++)
        {
            var token = (await one.PostAsync("/api/v1/auth/public-tokens",
                new { scopes = new[] { "read:runs" }, oneTimeUse = true })).String("token");
            var answers = await Task.WhenAll(Enumerable.Range(0, 24)
                .Select(i => (i % 2 == 0 ? one : other ?? one).GetAsync("/api/v1/runs", token)));
            Assert.Equal((1, 23), (answers.Count(a => a.Status == 200), answers.Count(a => a.Status == 401)));
        }
    }

    [Fact]
    public async Task What_was_read_before_a_change_is_not_what_is_kept()
    {
        var fill = new CacheFill();
        var (reads, kept) = (0, "");
        var answer = await fill.FillAsync(
            async () =>
            {
                await Task.Yield();
                if (++reads > 1) return "new";
                // The row changes, and the change is taken over, while the old one is on its way.
                fill.Changed();
                return "old";
            },
            read => kept = read);
        Assert.Equal((2, "new", "new"), (reads, kept, answer));
    }

    [Fact]
    public async Task Who_names_a_project_that_is_not_there_costs_no_look_into_the_store()
    {
        RecordingDatabase? recording = null;
        await using var server = await TestServer.StartAsync(wrap: d => recording = new RecordingDatabase(d));
        await server.PostAsync("/api/v1/callback-secrets", null);
        recording!.Statements.Clear();
        for (var i = 0; i < 50; i++)
        {
            var refused = await server.SendAsync(HttpMethod.Post, "/api/callbacks/execution", null, new { }, ("X-Callback-Token", new string('a', 64)), ("x-run-id", "r"), ("x-webhook-project", "proj_nope" + i));
            Assert.Equal(401, refused.Status);
            Assert.Equal(401, (await server.SendAsync(HttpMethod.Post, "/api/v1/runs/r/status", null, new { }, ("X-Callback-Token", new string('a', 64)), ("x-webhook-project", "proj_nope" + i))).Status);
        }
        Assert.DoesNotContain(recording.Statements.Keys, s => s.Contains("callback_token_secret", StringComparison.Ordinal) || s.Contains("FROM project", StringComparison.Ordinal));
    }

    private static async Task AddRevocationsAsync(Database database, string project, int count)
    {
        var numbers = database.Kind == "sqlite"
            ? $"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n"
            : $"SELECT i FROM generate_series(1, {count}) AS s(i)";
        await database.WriteAsync(async tx =>
        {
            var from = await tx.FirstAsync("SELECT number FROM meta WHERE name = 'access_version'", r => r.GetInt64(0));
            await tx.ExecuteAsync($"INSERT INTO revocation (project, kind, value, until, changed) SELECT $1, 'jti', 'old-' || i, $2, $3 + i FROM ({numbers}) AS numbers", project, tx.Now + 86_400_000_000, from);
            return await tx.ExecuteAsync($"UPDATE meta SET number = number + {count} WHERE name = 'access_version'");
        });
    }
}
