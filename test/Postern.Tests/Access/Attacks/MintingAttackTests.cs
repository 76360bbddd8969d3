using Postern.Support;

namespace Postern.Tests.Access.Attacks;

/// <summary>
/// Attacks by a caller that may mint: a token is within the key that mints it, on every route and in every spelling.
/// </summary>
public sealed class MintingAttackTests(MintingAttackTests.World world) : IClassFixture<MintingAttackTests.World>
{
    public sealed class World : IAsyncLifetime
    {
        internal TestServer Server { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Server = await TestServer.StartAsync();

        public ValueTask DisposeAsync() => Server.DisposeAsync();
    }

    [Theory]
    [InlineData("read:sessions", "write:sessions")]
    [InlineData("read:sessions", "read:all")]
    [InlineData("read:sessions", "*:sessions")]
    [InlineData("read:sessions", "admin")]
    [InlineData("read:sessions", "operator.sessions.write")]
    [InlineData("read:sessions:x", "read:sessions")]
    [InlineData("read:sessions:x", "read:sessions:y")]
    [InlineData("read:sessions:x", "read:sessions:x:y")]
    [InlineData("read:sessions:x:y", "read:sessions:x")]
    [InlineData("read:sessions:x", "read:sessions:X")]
    [InlineData("admin:all", "admin")]
    [InlineData("*:all", "admin")]
    [InlineData("admin:all", "write:keys")]
    [InlineData("write:all", "read:all")]
    [InlineData("write:tasks", "admin:tasks")]
    [InlineData("trigger:tasks", "write:tasks")]
    [InlineData("update:runs", "trigger:runs")]
    [InlineData("batchTrigger:tasks", "trigger:tasks")]
    [InlineData("admin:sessions", "write:sessions")]
    [InlineData("operator.read", "operator.write")]
    [InlineData("operator.write", "operator.admin")]
    [InlineData("operator.sessions.read", "operator.read")]
    [InlineData("write:approvals:x", "write:approvals")]
    [InlineData("write:approvals:x", "write:approvals:y")]
    [InlineData("read:approvals", "operator.approvals")]
    public async Task A_token_wider_than_its_key_is_minted_by_no_door(string own, string asked)
    {
        var server = world.Server;
        var key = await server.KeyAsync(own);
        foreach (var scopes in new[] { new[] { asked }, [own, asked], [asked, own, asked] })
        {
            foreach (
                var (path, body) in new (string, object)[]
                {
                    ("/api/v1/auth/public-tokens", new { scopes }),
                    (
                        "/api/v1/auth/public-tokens",
                        new
                        {
                            scopes,
                            oneTimeUse = true,
                            expirationTime = "1m",
                        }
                    ),
                    ("/api/v1/auth/jwt", new { claims = new { scopes } }),
                    (
                        "/api/v1/auth/jwt",
                        new
                        {
                            claims = new
                            {
                                scopes,
                                sub = "proj_other",
                                key = "key_other",
                                admin = true,
                            },
                        }
                    ),
                }
            )
            {
                var refused = await server.PostAsync(path, body, key);
                Assert.True(
                    refused.Status == 403
                        && refused.String("code") == "scopes_exceed_key_access"
                        && refused.Json.GetProperty("deniedScopes")[0].GetString() == asked,
                    $"{path} {own} → {asked}: {refused}"
                );
            }
        }
    }

    [Theory]
    [InlineData("write:sessions:")]
    [InlineData(":sessions")]
    [InlineData("write::x")]
    [InlineData("write")]
    [InlineData("ADMIN")]
    [InlineData("admin ")]
    [InlineData(" admin")]
    [InlineData("admin:")]
    [InlineData("admin:everything")]
    [InlineData("delete:sessions")]
    [InlineData("read:sessions:a  b")]
    [InlineData("read:sessions:a\tb")]
    [InlineData("read:sessions: a")]
    [InlineData("operator.root")]
    [InlineData("operator.admin:x")]
    [InlineData("")]
    public async Task A_malformed_scope_is_in_no_token_and_in_no_key(string scope)
    {
        var server = world.Server;
        Assert.Equal(
            400,
            (await server.PostAsync("/api/v1/auth/public-tokens", new { scopes = new[] { scope } })).Status
        );
        Assert.Equal(
            400,
            (
                await server.PostAsync(
                    "/api/v1/auth/jwt",
                    new { claims = new { scopes = new[] { "read:runs", scope } } }
                )
            ).Status
        );
        Assert.Equal(
            400,
            (await server.PostAsync("/api/v1/keys", new { name = "x", scopes = new[] { scope } })).Status
        );
        var (id, _) = await server.NamedKeyAsync("x", "read:runs");
        Assert.Equal(
            400,
            (
                await server.SendAsync(
                    HttpMethod.Patch,
                    $"/api/v1/keys/{id}",
                    server.RootKey,
                    new { scopes = new[] { scope } }
                )
            ).Status
        );
    }

    [Theory]
    [InlineData("\"31d\"")]
    [InlineData("\"0s\"")]
    [InlineData("\"-1h\"")]
    [InlineData("\"9999-01-01T00:00:00Z\"")]
    [InlineData("\"2020-01-01\"")]
    [InlineData("99999999999")]
    [InlineData("1")]
    [InlineData("-1")]
    [InlineData("1e99")]
    [InlineData("\"1h 1h\"")]
    [InlineData("\"Infinity\"")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("true")]
    public async Task No_spelling_of_a_time_makes_a_token_that_lives_too_long(string expirationTime)
    {
        foreach (
            var (path, rest) in new[]
            {
                ("/api/v1/auth/public-tokens", "\"scopes\":[\"read:runs\"]"),
                ("/api/v1/auth/jwt", "\"claims\":{\"scopes\":[\"read:runs\"]}"),
            }
        )
        {
            var refused = await world.Server.PostAsync(path, $"{{{rest},\"expirationTime\":{expirationTime}}}");
            Assert.True(refused.Status == 400, $"{path} {expirationTime}: {refused}");
        }
    }

    /// <summary>However many keys are between, the asker cannot answer.</summary>
    [Fact]
    public async Task Keys_that_make_keys_that_make_keys_are_still_who_asked()
    {
        var server = world.Server;
        var asking = await Asking.PrepareAsync(server);
        var first = await server.KeyAsync("admin", "write:approvals");
        var (run, _, _) = await asking.RunningAsync();
        Assert.Equal(
            200,
            (await server.PostAsync($"/api/v1/executions/{run}/request-approval", new { title = "Go?" }, first)).Status
        );
        var maker = first;
        for (var i = 0; i < 4; i++)
        {
            var made = await server.PostAsync(
                "/api/v1/keys",
                new { name = "child " + i, scopes = new[] { "admin", "write:approvals" } },
                maker
            );
            Assert.Equal(201, made.Status);
            maker = made.String("key");
            var token = await server.TokenOfAsync(maker, "write:approvals");
            foreach (var decider in new[] { maker, token })
            {
                var refused = await server.PostAsync(
                    $"/api/v1/executions/{run}/approval-response",
                    new { decision = "approved" },
                    decider
                );
                Assert.Equal((403, "self_approval"), (refused.Status, refused.String("error")));
            }
        }
        // The maker's end is not the child's end, but a token of the maker ends with it.
        Assert.Equal("pending", (await asking.StatusAsync(run)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_token_makes_no_credential_at_all()
    {
        var server = world.Server;
        var token = await server.TokenAsync("admin");
        foreach (
            var (method, path) in server
                .Doors.Table.Where(d =>
                    d.Path.StartsWith("/api/v1/keys", StringComparison.Ordinal)
                    || d.Path.StartsWith("/api/v1/auth", StringComparison.Ordinal)
                    || d.Path.StartsWith("/api/v1/projects", StringComparison.Ordinal)
                    || d.Path.Contains("secret", StringComparison.Ordinal)
                )
                .Select(d => (d.Method, d.Path))
        )
            Assert.Equal(
                401,
                (
                    await server.SendAsync(
                        new HttpMethod(method),
                        path.Replace("{id}", "key_x", StringComparison.Ordinal)
                            .Replace("{ref}", "default", StringComparison.Ordinal)
                            .Replace("{env}", "prod", StringComparison.Ordinal)
                            .Replace("{endpoint}", "e", StringComparison.Ordinal),
                        token,
                        method == "GET" ? null : new { }
                    )
                ).Status
            );
    }
}
