using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Access;

public sealed class KeyTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        await _server.StartSessionAsync("s");
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public void A_mistyped_key_is_refused_by_its_form_alone()
    {
        var key = ApiKey.Generate("live", "key_01m80t06jve429nf9xf5c8pwcw");
        Assert.Equal(key, ApiKey.TryParse(key.Text));
        Assert.Equal(key, ApiKey.TryParse("tr_prod_" + key.Text));
        for (var i = 0; i < key.Text.Length; i++)
        {
            var typed = key.Text.ToCharArray();
            typed[i] = typed[i] == 'x' ? 'y' : 'x';
            Assert.Null(ApiKey.TryParse(typed));
        }
        foreach (
            var other in (string[])
                [
                    "",
                    "pst_",
                    "pst_live___",
                    "tr_prod_tr_prod_" + key.Text,
                    key.Text + "_",
                    key.Text + " ",
                    new string('p', 100_000),
                ]
        )
            Assert.Null(ApiKey.TryParse(other));
    }

    [Fact]
    public void Secrets_are_sealed_and_opened_by_many_at_once_and_for_their_owner_alone()
    {
        var master = MasterKey.FromText("a master key that many threads use at the same time");
        var secret = master.Protect("secret", "owner");
        Parallel.For(
            0,
            5000,
            i => Assert.Equal(i.ToString(), master.Unprotect(master.Protect(i.ToString(), "o" + i), "o" + i))
        );
        Assert.ThrowsAny<System.Security.Cryptography.CryptographicException>(() =>
            master.Unprotect(secret, "another")
        );
        Assert.ThrowsAny<System.Security.Cryptography.CryptographicException>(() =>
            MasterKey.FromText("another master key, as long as it has to be").Unprotect(secret, "owner")
        );
    }

    [Fact]
    public async Task A_key_is_shown_once_and_kept_as_a_salted_digest()
    {
        var made = await _server.PostAsync("/api/v1/keys", new { name = "ci", scopes = new[] { "read:sessions" } });
        Assert.Equal(201, made.Status);
        var key = made.String("key");
        Assert.StartsWith("pst_live_", key, StringComparison.Ordinal);
        Assert.DoesNotContain(key, (await _server.GetAsync("/api/v1/keys")).Text, StringComparison.Ordinal);
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/s", key)).Status);
        Assert.Equal(403, (await _server.PostAsync("/api/v1/sessions/s/close", new { }, key)).Status);
        var digest = await _server.Database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT digest FROM api_key WHERE id = $1",
                r => r.GetFieldValue<byte[]>(0),
                made.String("id")
            )
        );
        Assert.NotEqual(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(key)), digest);
    }

    [Fact]
    public async Task A_revoked_key_is_refused_by_the_next_request_and_its_streams_end()
    {
        var made = await _server.PostAsync("/api/v1/keys", new { name = "short-lived" });
        await using var stream = await _server.StreamAsync("/sessions/s/history", made.String("key"));
        await using var channel = await _server.StreamAsync("/realtime/v1/sessions/s/out", made.String("key"));
        Assert.Equal("history", (await stream.NextAsync())!.Name);
        Assert.Equal(
            204,
            (await _server.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + made.String("id"), _server.RootKey)).Status
        );
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions/s", made.String("key"))).Status);
        var end = await stream.NextAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(("end", "revoked"), (end!.Name, end.Json.GetProperty("reason").GetString()));
        Assert.Null(await stream.NextAsync());
        var error = await channel.NextAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(("error", "revoked"), (error!.Name, error.Json.GetProperty("reason").GetString()));
        Assert.Null(await channel.NextAsync());
    }

    [Fact]
    public async Task Revoking_a_key_ends_the_tokens_that_it_minted()
    {
        var made = await _server.PostAsync("/api/v1/keys", new { name = "minter" });
        var token = (
            await _server.PostAsync(
                "/api/v1/auth/public-tokens",
                new { scopes = new[] { "read:sessions" } },
                made.String("key")
            )
        ).String("token");
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/s", token)).Status);
        await _server.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + made.String("id"), _server.RootKey);
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions/s", token)).Status);
    }

    [Fact]
    public async Task Narrowed_scopes_end_the_streams_that_they_no_longer_allow()
    {
        var made = await _server.PostAsync("/api/v1/keys", new { name = "wide" });
        await using var stream = await _server.StreamAsync("/sessions/s/history", made.String("key"));
        await stream.NextAsync();
        Assert.Equal(
            200,
            (
                await _server.SendAsync(
                    HttpMethod.Patch,
                    "/api/v1/keys/" + made.String("id"),
                    _server.RootKey,
                    new { scopes = new[] { "read:sessions:another" } }
                )
            ).Status
        );
        var end = await stream.NextAsync(TimeSpan.FromSeconds(1));
        Assert.Equal("forbidden", end!.Json.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_rotated_key_has_an_overlap_and_then_ends()
    {
        var made = await _server.PostAsync("/api/v1/keys", new { name = "rotating" });
        var rotated = await _server.PostAsync($"/api/v1/keys/{made.String("id")}/rotate", new { overlapSeconds = 60 });
        Assert.Equal(made.String("id"), rotated.String("id"));
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/s", made.String("key"))).Status);
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/s", rotated.String("key"))).Status);
        _server.Clock.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions/s", made.String("key"))).Status);
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/s", rotated.String("key"))).Status);
    }

    [Fact]
    public async Task Tokens_of_a_rotated_root_key_live_as_long_as_its_overlap()
    {
        var token = (
            await _server.PostAsync(
                "/api/v1/auth/public-tokens",
                new { scopes = new[] { "read:sessions" }, expirationTime = "7d" }
            )
        ).String("token");
        var root = (await _server.GetAsync("/api/v1/keys"))
            .Json.GetProperty("data")
            .EnumerateArray()
            .Single(k => k.GetProperty("kind").GetString() == "root")
            .GetProperty("id")
            .GetString();
        var rotated = await _server.PostAsync($"/api/v1/keys/{root}/rotate", new { overlapSeconds = 60 });
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/s", token)).Status);
        await using var stream = await _server.StreamAsync("/sessions/s/history", token);
        await stream.NextAsync();
        _server.Clock.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(
            "revoked",
            (await stream.NextAsync(TimeSpan.FromSeconds(3)))!.Json.GetProperty("reason").GetString()
        );
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions/s", token)).Status);
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/s", rotated.String("key"))).Status);
    }

    [Fact]
    public async Task A_key_gives_no_more_than_it_has()
    {
        var narrow = await _server.KeyAsync("read:sessions:s", "write:tasks:echo");
        Assert.Equal(403, (await _server.PostAsync("/api/v1/keys", new { name = "up" }, narrow)).Status);
        var denied = await _server.PostAsync(
            "/api/v1/auth/public-tokens",
            new { scopes = new[] { "read:sessions:s", "read:sessions" } },
            narrow
        );
        Assert.Equal((403, "scopes_exceed_key_access"), (denied.Status, denied.String("code")));
        Assert.Equal("read:sessions", denied.Json.GetProperty("deniedScopes")[0].GetString());
        Assert.Equal(
            200,
            (
                await _server.PostAsync(
                    "/api/v1/auth/public-tokens",
                    new { scopes = new[] { "read:sessions:s" } },
                    narrow
                )
            ).Status
        );
    }

    [Theory]
    [InlineData("{}", "Invalid request body")]
    [InlineData("{\"scopes\":[]}", "Invalid request body")]
    [InlineData("{\"scopes\":\"admin\"}", "Invalid request body")]
    [InlineData("not json", "Invalid request body")]
    [InlineData("{\"scopes\":[\"read:sessions\"],\"expirationTime\":\"soon\"}", "Invalid expiration time")]
    [InlineData("{\"scopes\":[\"read:sessions\"],\"expirationTime\":1000}", "Expiration time must be in the future")]
    [InlineData("{\"scopes\":[\"read:sessions\"],\"expirationTime\":\"31d\"}", "Expiration time cannot exceed 30 days")]
    [InlineData("{\"scopes\":[\"read:sessions:\"]}", "Invalid scope: read:sessions:")]
    public async Task Minting_refuses_in_the_words_that_clients_know(string body, string text)
    {
        var answer = await _server.PostAsync("/api/v1/auth/public-tokens", body);
        Assert.Equal((400, text), (answer.Status, answer.String("error")));
    }

    [Fact]
    public async Task Tokens_are_ended_by_token_by_id_and_by_subject()
    {
        var token = await _server.TokenAsync("read:sessions", "write:sessions");
        await using var stream = await _server.StreamAsync("/sessions/s/history", token);
        await stream.NextAsync();
        Assert.Equal(200, (await _server.PostAsync("/api/v1/auth/revoke", new { token })).Status);
        Assert.Equal(
            "revoked",
            (await stream.NextAsync(TimeSpan.FromSeconds(1)))!.Json.GetProperty("reason").GetString()
        );
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions/s", token)).Status);

        var other = await _server.TokenAsync("read:sessions");
        await _server.PostAsync(
            "/api/v1/auth/revoke",
            new
            {
                subject = await _server.ProjectAsync(),
                issuedBefore = DateTimeOffset.UtcNow.AddMinutes(1).ToString("O"),
            }
        );
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions/s", other)).Status);
        Assert.Equal(400, (await _server.PostAsync("/api/v1/auth/revoke", new { token, jti = "x" })).Status);
    }

    [Fact]
    public async Task A_token_that_was_given_for_a_revoked_one_ends_with_it()
    {
        var token = await _server.TokenAsync("read:sessions", "write:sessions", "write:tasks:echo");
        var session = (await _server.StartSessionAsync("derived", token)).String("publicAccessToken");
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/derived", session)).Status);
        await _server.PostAsync("/api/v1/auth/revoke", new { token });
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions/derived", session)).Status);
    }

    [Fact]
    public async Task Projects_do_not_see_each_other()
    {
        var other = (await _server.PostAsync("/api/v1/projects", new { name = "tenant" })).String("rootKey");
        Assert.Equal(404, (await _server.GetAsync("/api/v1/sessions/s", other)).Status);
        Assert.Equal(
            (await _server.GetAsync("/sessions/s/history", other)).Text,
            (
                await _server.GetAsync(
                    "/sessions/s/history",
                    (await _server.PostAsync("/api/v1/projects", new { name = "empty" })).String("rootKey")
                )
            ).Text
        );
        Assert.Equal(403, (await _server.PostAsync("/api/v1/projects", new { name = "third" }, other)).Status);
        Assert.Equal(201, (await _server.StartSessionAsync("s", other)).Status);
    }

    [Fact]
    public async Task A_personal_key_identifies_its_person_and_is_clamped()
    {
        var made = await _server.PostAsync(
            "/api/v1/keys",
            new
            {
                name = "ada@example.com",
                kind = "pat",
                scopes = new[] { "read:sessions", "write:sessions", "read:tasks" },
            }
        );
        var who = await _server.GetAsync("/api/v2/whoami", "tr_pat_" + made.String("key"));
        Assert.Equal((200, "ada@example.com"), (who.Status, who.String("email")));
        var token = (
            await _server.PostAsync(
                "/api/v1/projects/default/prod/jwt",
                new { claims = new { scopes = new[] { "read:sessions", "admin" } } },
                made.String("key")
            )
        ).String("token");
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/s", token)).Status);
        Assert.Equal(403, (await _server.PostAsync("/api/v1/sessions/s/close", new { }, token)).Status);
        var worker = await _server.GetAsync("/api/v1/projects/default/dev/workers/current", made.String("key"));
        Assert.Equal("echo", worker.Json.GetProperty("worker").GetProperty("tasks")[0].GetProperty("slug").GetString());
        Assert.Equal(
            404,
            (await _server.PostAsync("/api/v1/projects/nobodys/prod/jwt", new { }, made.String("key"))).Status
        );
        Assert.Equal(
            404,
            (await _server.PostAsync("/api/v1/projects/default/moon/jwt", new { }, made.String("key"))).Status
        );
    }

    [Fact]
    public async Task The_audit_names_what_was_done_and_refused()
    {
        await _server.GetAsync("/api/v1/keys", "pst_live_nobody");
        var made = await _server.PostAsync(
            "/api/v1/keys",
            new { name = "audited", scopes = new[] { "read:sessions" } }
        );
        await _server.GetAsync("/api/v1/keys", made.String("key"));
        await WaitFor.TrueAsync(async () =>
        {
            var audit = (await _server.GetAsync("/api/v1/audit?limit=200")).Text;
            return audit.Contains("key.created", StringComparison.Ordinal)
                && audit.Contains("credential.refused", StringComparison.Ordinal)
                && audit.Contains("scope.refused", StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task No_secret_reaches_the_log()
    {
        await using var server = await TestServer.StartAsync(set: o => o.Log.Level = "Trace");
        var key = (await server.PostAsync("/api/v1/keys", new { name = "logged" })).String("key");
        var agent = await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/a",
            server.RootKey,
            new { kind = "http", url = "http://127.0.0.1:9/" }
        );
        var token = (await server.StartSessionAsync("private-name-of-a-customer", key, "a")).String(
            "publicAccessToken"
        );
        await server.SayAsync("private-name-of-a-customer", "a secret told to the agent", token);
        await server.GetAsync("/api/v1/keys?x=" + key);
        await server.GetAsync("/api/v1/keys", key + "x");
        await WaitFor.TrueAsync(() =>
            Task.FromResult(server.Log.Text.Contains("did not arrive", StringComparison.Ordinal))
        );
        foreach (
            var secret in (string[])
                [server.RootKey, key, token, agent.String("secret"), "a secret told", "private-name"]
        )
            Assert.DoesNotContain(secret, server.Log.Text, StringComparison.Ordinal);
    }
}
