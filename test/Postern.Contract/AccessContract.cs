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
        var revocations = new Revocations();
        var ring = new KeyRing(store, master);
        var clock = TimeProvider.System;
        using var watch = new AccessWatch(server.Database, store, ring, revocations, new CallbackSecrets(server.Database, master, clock), new ApprovalServices(server.Database, master, clock), clock, NullLogger<AccessWatch>.Instance);
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
