using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Postern.Access;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>A node's memory of access equals the database, however large it is, on both databases.</summary>
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
        using var node = new Node(server, server.Database);
        await node.Watch.RefreshAsync();
        Assert.Equal((null, TokenFault.Revoked), await node.Tokens.VerifyAsync(late, server.Database.Now));
        Assert.Null(await node.Ring.VerifyAsync(key, server.Database.Now));
        Assert.Equal(100_000 + 3, node.Revocations.Count);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_node_that_cannot_read_all_of_it_does_not_serve(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var held = new HeldDatabase(server.Database);
        foreach (
            var table in (string[])["FROM revocation", "FROM api_key", "FROM callback_secret", "FROM approval_service"]
        )
        {
            using var node = new Node(server, held);
            await server.PostAsync("/api/v1/auth/revoke", new { jti = table });
            held.Fail(table);
            // The host does not start a server when one of its parts did not start.
            await Assert.ThrowsAsync<StorageUnavailableException>(() => node.Watch.StartAsync(default));
            held.Fail(null);
            // Rows that were not read do not count as known: the next look reads them.
            await node.Watch.RefreshAsync();
            Assert.Equal(node.Revocations.Count, (int)await CountAsync(server, "revocation"));
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_key_that_is_revoked_while_its_first_use_is_under_way_is_not_kept(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var (id, key) = await server.NamedKeyAsync("first", "read:sessions");
        var held = new HeldDatabase(server.Database);
        using var node = new Node(server, held);
        await node.Watch.RefreshAsync();
        held.Hold("FROM api_key WHERE id = $1");
        var using_ = node.Ring.VerifyAsync(key, server.Database.Now).AsTask();
        await held.Held;
        Assert.Equal(204, (await server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", server.RootKey)).Status);
        await node.Watch.RefreshAsync();
        held.Release();
        Assert.Null(await using_);
        Assert.Null(await node.Ring.VerifyAsync(key, server.Database.Now));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_root_key_that_is_rotated_while_it_is_read_is_not_kept(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var project = await server.ProjectAsync();
        var id = (await server.GetAsync("/api/v1/keys"))
            .Json.GetProperty("data")
            .EnumerateArray()
            .First(k => k.GetProperty("kind").GetString() == "root")
            .GetProperty("id")
            .GetString();
        var held = new HeldDatabase(server.Database);
        using var node = new Node(server, held);
        await node.Watch.RefreshAsync();
        held.Hold("kind = 'root'");
        var reading = node.Ring.RootAsync(project).AsTask();
        await held.Held;
        var rotated = await server.PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 0 });
        Assert.Equal(200, rotated.Status);
        await node.Watch.RefreshAsync();
        held.Release();
        var grant = (await reading)!.Matches(rotated.String("key"), server.Database.Now);
        Assert.NotNull(grant);
        Assert.Null((await node.Ring.RootAsync(project))!.Matches(server.RootKey, server.Database.Now));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_secret_of_callback_tokens_that_is_rotated_while_it_is_read_is_not_kept(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var project = await server.ProjectAsync();
        var held = new HeldDatabase(server.Database);
        using var node = new Node(server, held);
        await node.Watch.RefreshAsync();
        var before = await node.Callbacks.TokenForRunAsync(project, "run_1", 1);
        using var other = new Node(server, held);
        await other.Watch.RefreshAsync();
        held.Hold("FROM callback_token_secret");
        var making = other.Callbacks.TokenForRunAsync(project, "run_1", 1).AsTask();
        await held.Held;
        Assert.Equal(200, (await server.PostAsync("/api/v1/callback-token-secrets/rotate", null)).Status);
        await other.Watch.RefreshAsync();
        held.Release();
        // Made with the newest secret, as everybody else makes it now.
        await node.Watch.RefreshAsync();
        Assert.Equal(await node.Callbacks.TokenForRunAsync(project, "run_1", 1), await making);
        Assert.NotEqual(before, await making);
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
            var made = Enumerable
                .Range(0, 8)
                .Select(i =>
                    server.PostAsync(
                        "/api/v1/keys",
                        new { name = $"r{round} {i}", scopes = new[] { "read:runs" } },
                        key
                    )
                )
                .ToList();
            var revoked = await server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", server.RootKey);
            Assert.Equal(204, revoked.Status);
            // A revoked key cannot make anything after the answer to its revocation.
            var after = await server.PostAsync(
                "/api/v1/keys",
                new { name = "after", scopes = new[] { "read:runs" } },
                key
            );
            Assert.Equal(401, after.Status);
            var answers = await Task.WhenAll(made);
            Assert.All(answers, a => Assert.True(a.Status is 201 or 401, a.ToString()));
            var kept = (await server.GetAsync("/api/v1/keys?limit=200"))
                .Json.GetProperty("data")
                .EnumerateArray()
                .Count(k => k.GetProperty("name").GetString()!.StartsWith($"r{round} ", StringComparison.Ordinal));
            Assert.Equal(answers.Count(a => a.Status == 201), kept);
        }
    }

    /// <summary>
    /// The first use of a key fills a cache; a revocation at the same moment must not be lost by that.
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
            // A token that was minted at that moment is dead.
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
        await using var other =
            backend == Backend.Postgres ? await TestServer.StartAsync(backend, postgres: database) : null;
        for (var round = 0; round < 10; round++)
        {
            var token = (
                await one.PostAsync(
                    "/api/v1/auth/public-tokens",
                    new { scopes = new[] { "read:runs" }, oneTimeUse = true }
                )
            ).String("token");
            var answers = await Task.WhenAll(
                Enumerable.Range(0, 24).Select(i => (i % 2 == 0 ? one : other ?? one).GetAsync("/api/v1/runs", token))
            );
            Assert.Equal((1, 23), (answers.Count(a => a.Status == 200), answers.Count(a => a.Status == 401)));
        }
    }

    [Fact]
    public async Task A_row_that_was_read_before_a_change_is_not_cached()
    {
        var fill = new CacheFill();
        var (reads, kept) = (0, "");
        var answer = await fill.FillAsync(
            async () =>
            {
                await Task.Yield();
                if (++reads > 1)
                    return "new";
                // The row changes, and the change is applied, while the old row is on its way.
                fill.Changed();
                return "old";
            },
            read => kept = read
        );
        Assert.Equal((2, "new", "new"), (reads, kept, answer));
    }

    [Fact]
    public async Task A_request_for_an_unknown_project_reads_nothing_from_the_store()
    {
        RecordingDatabase? recording = null;
        await using var server = await TestServer.StartAsync(wrap: d => recording = new RecordingDatabase(d));
        await server.PostAsync("/api/v1/callback-secrets", null);
        recording!.Statements.Clear();
        for (var i = 0; i < 50; i++)
        {
            var refused = await server.SendAsync(
                HttpMethod.Post,
                "/api/callbacks/execution",
                null,
                new { },
                ("X-Callback-Token", new string('a', 64)),
                ("x-run-id", "r"),
                ("x-webhook-project", "proj_nope" + i)
            );
            Assert.Equal(401, refused.Status);
            Assert.Equal(
                401,
                (
                    await server.SendAsync(
                        HttpMethod.Post,
                        "/api/v1/runs/r/status",
                        null,
                        new { },
                        ("X-Callback-Token", new string('a', 64)),
                        ("x-webhook-project", "proj_nope" + i)
                    )
                ).Status
            );
        }
        Assert.DoesNotContain(
            recording.Statements.Keys,
            s =>
                s.Contains("callback_token_secret", StringComparison.Ordinal)
                || s.Contains("FROM project", StringComparison.Ordinal)
        );
    }

    private static ValueTask<long> CountAsync(TestServer server, string table) =>
        server.Database.ReadAsync(tx => tx.FirstAsync($"SELECT COUNT(*) FROM {table}", r => r.GetInt64(0)));

    /// <summary>A node's memory of access, still empty.</summary>
    private sealed class Node : IDisposable
    {
        public Node(TestServer server, Database database)
        {
            var (clock, known) = (TimeProvider.System, new KnownProjects());
            var master = server.App.Services.GetRequiredService<MasterKey>();
            var store = new KeyStore(database);
            Ring = new KeyRing(store, known, master);
            Callbacks = new CallbackSecrets(database, known, master, Postern.Runs.RunStore.NoneLivesSince);
            Tokens = new Tokens(Ring, store, Revocations, master, database);
            var services = new ApprovalServices(database, master);
            Watch = new AccessWatch(
                database,
                store,
                new AccessInMemory(Ring, Revocations, Callbacks, services),
                new ConsoleSessions(database, Ring, new Postern.Settings.PosternOptions()),
                clock,
                NullLogger<AccessWatch>.Instance
            );
        }

        public KeyRing Ring { get; }

        public Revocations Revocations { get; } = new();

        public CallbackSecrets Callbacks { get; }

        public Tokens Tokens { get; }

        public AccessWatch Watch { get; }

        public void Dispose() => Watch.Dispose();
    }

    private static async Task AddRevocationsAsync(Database database, string project, int count)
    {
        var numbers =
            database.Kind == "sqlite"
                ? $"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n"
                : $"SELECT i FROM generate_series(1, {count}) AS s(i)";
        await database.WriteAsync(async tx =>
        {
            var from = await tx.FirstAsync("SELECT number FROM meta WHERE name = 'access_version'", r => r.GetInt64(0));
            await tx.ExecuteAsync(
                $"""
                INSERT INTO revocation (project, kind, value, until, changed) SELECT $1, 'jti', 'old-' || i, $2, $3 + i
                FROM ({numbers}) AS numbers
                """,
                project,
                tx.Now + 86_400_000_000,
                from
            );
            return await tx.ExecuteAsync($"UPDATE meta SET number = number + {count} WHERE name = 'access_version'");
        });
    }
}
