using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Access.Attacks;

/// <summary>Attacks with keys: a caller may only get a credential that it may have.</summary>
public sealed class HandoutAttackTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("admin:all")]
    [InlineData("*:all")]
    [InlineData("admin:keys")]
    [InlineData("*:keys")]
    [InlineData("write:all")]
    [InlineData("operator.write")]
    public async Task Only_bare_admin_opens_the_administrators_routes(string scope)
    {
        var key = await _server.KeyAsync(scope);
        var root = RootId();
        foreach (
            var (method, path) in new[]
            {
                ("GET", "/api/v1/keys"),
                ("POST", "/api/v1/keys"),
                ("POST", $"/api/v1/keys/{root}/rotate"),
                ("PATCH", $"/api/v1/keys/{root}"),
                ("DELETE", $"/api/v1/keys/{root}"),
                ("GET", "/api/v1/audit"),
                ("POST", "/api/v1/auth/revoke"),
                ("GET", "/api/v1/callback-secrets"),
                ("POST", "/api/v1/callback-secrets"),
                ("PUT", "/api/v1/approval-services/x"),
                ("PUT", "/api/v1/workflows/x"),
                ("POST", "/api/v1/callback-token-secrets/rotate"),
                ("POST", "/api/v1/projects"),
            }
        )
        {
            var refused = await _server.SendAsync(new HttpMethod(method), path, key, method == "GET" ? null : new { });
            Assert.True(refused.Status == 403, $"{method} {path} with {scope}: {refused}");
        }
    }

    [Fact]
    public async Task The_root_key_is_handed_to_nobody_else_by_a_rotation()
    {
        foreach (
            var credential in new[]
            {
                await _server.KeyAsync("admin"),
                await _server.KeyAsync(),
                (await PersonAsync("admin")).Key,
            }
        )
        {
            var refused = await _server.PostAsync(
                $"/api/v1/keys/{RootId()}/rotate",
                new { overlapSeconds = 0 },
                credential
            );
            Assert.Equal((403, "root_key_required"), (refused.Status, refused.String("code")));
        }
        Assert.Equal(200, (await _server.GetAsync("/api/v1/keys")).Status);
        // It may rotate itself.
        Assert.Equal(200, (await _server.PostAsync($"/api/v1/keys/{RootId()}/rotate", new { })).Status);
    }

    [Fact]
    public async Task A_persons_key_is_handed_to_its_holder_alone()
    {
        var (id, key) = await PersonAsync("write:approvals", "admin");
        foreach (var credential in new[] { _server.RootKey, await _server.KeyAsync("admin"), await _server.KeyAsync() })
        {
            var refused = await _server.PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 0 }, credential);
            Assert.Equal((403, "personal_key"), (refused.Status, refused.String("code")));
        }
        Assert.Equal(200, (await _server.PostAsync($"/api/v1/keys/{id}/rotate", new { }, key)).Status);
    }

    [Fact]
    public async Task A_rotation_hands_out_no_more_than_the_caller_has()
    {
        var (decider, _) = await _server.NamedKeyAsync("decider", "write:approvals");
        var refused = await _server.PostAsync(
            $"/api/v1/keys/{decider}/rotate",
            new { },
            await _server.KeyAsync("admin")
        );
        Assert.Equal((403, "needs_grant_by_name"), (refused.Status, refused.String("code")));
        Assert.Equal(
            200,
            (
                await _server.PostAsync(
                    $"/api/v1/keys/{decider}/rotate",
                    new { },
                    await _server.KeyAsync("admin", "write:approvals")
                )
            ).Status
        );
    }

    [Theory]
    [InlineData("write:approvals")]
    [InlineData("write:approvals:apr_1")]
    [InlineData("*:approvals")]
    [InlineData("operator.approvals")]
    public async Task The_right_to_decide_is_made_of_no_right_that_is_only_implied(string scope)
    {
        foreach (
            var credential in new[]
            {
                _server.RootKey,
                await _server.KeyAsync("admin"),
                await _server.KeyAsync(),
                await _server.KeyAsync("admin", "write:approvals:other"),
            }
        )
        {
            foreach (
                var (path, body) in new (string, object)[]
                {
                    ("/api/v1/keys", new { name = "d", scopes = new[] { scope } }),
                    ("/api/v1/auth/public-tokens", new { scopes = new[] { scope } }),
                    ("/api/v1/auth/jwt", new { claims = new { scopes = new[] { scope } } }),
                }
            )
            {
                var refused = await _server.PostAsync(path, body, credential);
                Assert.True(
                    refused.Status == 403 && refused.String("code") == "needs_grant_by_name",
                    $"{path} {scope}: {refused}"
                );
            }
        }
        var (id, _) = await _server.NamedKeyAsync("plain", "read:runs");
        Assert.Equal(
            403,
            (
                await _server.SendAsync(
                    HttpMethod.Patch,
                    $"/api/v1/keys/{id}",
                    _server.RootKey,
                    new { scopes = new[] { scope } }
                )
            ).Status
        );
    }

    [Fact]
    public async Task A_key_that_ends_makes_nothing_that_does_not_and_does_not_lengthen_itself()
    {
        var soon = DateTimeOffset.UtcNow.AddHours(1);
        var made = await _server.PostAsync(
            "/api/v1/keys",
            new
            {
                name = "short",
                scopes = new[] { "admin" },
                expiresAt = soon,
            }
        );
        var (id, key) = (made.String("id"), made.String("key"));
        foreach (
            var (method, path, body) in new (string, string, string)[]
            {
                ("POST", "/api/v1/keys", "{\"name\":\"for ever\",\"scopes\":[\"admin\"]}"),
                (
                    "POST",
                    "/api/v1/keys",
                    $"{{\"name\":\"longer\",\"scopes\":[],\"expiresAt\":\"{soon.AddMinutes(1):O}\"}}"
                ),
                ("PATCH", $"/api/v1/keys/{id}", "{\"expiresAt\":null}"),
                ("PATCH", $"/api/v1/keys/{id}", $"{{\"expiresAt\":\"{soon.AddDays(1):O}\"}}"),
            }
        )
        {
            var refused = await _server.SendAsync(new HttpMethod(method), path, key, body);
            Assert.True(
                refused.Status == 403 && refused.String("code") == "expiry_exceeds_key",
                $"{method} {body}: {refused}"
            );
        }
        var (other, _) = await _server.NamedKeyAsync("other", "read:runs");
        Assert.Equal(403, (await _server.PostAsync($"/api/v1/keys/{other}/rotate", new { }, key)).Status);
        Assert.Equal(
            201,
            (
                await _server.PostAsync(
                    "/api/v1/keys",
                    new
                    {
                        name = "within",
                        scopes = new[] { "read:runs" },
                        expiresAt = soon.AddMinutes(-1),
                    },
                    key
                )
            ).Status
        );
        Assert.Equal(
            200,
            (
                await _server.SendAsync(
                    HttpMethod.Patch,
                    $"/api/v1/keys/{id}",
                    key,
                    new { expiresAt = soon.AddMinutes(-30) }
                )
            ).Status
        );
    }

    [Fact]
    public async Task A_secret_that_is_being_rotated_away_makes_nothing_that_outlives_its_overlap()
    {
        foreach (
            var (id, key) in new[] { await _server.NamedKeyAsync("backend", "admin"), (RootId(), _server.RootKey) }
        )
        {
            Assert.Equal(
                200,
                (await _server.PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 3600 }, key)).Status
            );
            foreach (
                var (path, body) in new (string, object)[]
                {
                    ("/api/v1/keys", new { name = "for ever", scopes = new[] { "admin" } }),
                    (
                        "/api/v1/keys",
                        new
                        {
                            name = "longer",
                            scopes = new[] { "admin" },
                            expiresAt = _server.Clock.GetUtcNow().AddHours(2),
                        }
                    ),
                    ($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 3600 }),
                }
            )
            {
                var refused = await _server.PostAsync(path, body, key);
                Assert.True(
                    refused.Status == 403 && refused.String("code") == "expiry_exceeds_key",
                    $"{path} by the old secret of {id}: {refused}"
                );
            }
            var token = await _server.TokenOfAsync(key, "read:runs");
            Assert.Equal(
                201,
                (
                    await _server.PostAsync(
                        "/api/v1/keys",
                        new
                        {
                            name = "within",
                            scopes = new[] { "read:runs" },
                            expiresAt = _server.Clock.GetUtcNow().AddMinutes(30),
                        },
                        key
                    )
                ).Status
            );
            _server.Clock.Advance(TimeSpan.FromHours(2));
            Assert.Equal(401, (await _server.GetAsync("/api/v1/runs", token)).Status);
        }
    }

    [Theory]
    [InlineData("{\"scopes\":[\"admin\"]}")]
    [InlineData("{\"scopes\":[]}")]
    [InlineData("{\"scopes\":[\"read:runs\",\"write:runs:r1\"]}")]
    [InlineData("{\"scopes\":[\"read:all\"]}")]
    public async Task A_key_that_ends_gives_no_right_to_one_that_lives_longer(string change)
    {
        var made = await _server.PostAsync(
            "/api/v1/keys",
            new
            {
                name = "short",
                scopes = new[] { "admin" },
                expiresAt = DateTimeOffset.UtcNow.AddHours(1),
            }
        );
        var (sleeper, sleeping) = await _server.NamedKeyAsync("sleeper", "read:runs");
        var refused = await _server.SendAsync(HttpMethod.Patch, $"/api/v1/keys/{sleeper}", made.String("key"), change);
        Assert.Equal((403, "expiry_exceeds_key"), (refused.Status, refused.String("code")));
        Assert.Equal(403, (await _server.GetAsync("/api/v1/keys", sleeping)).Status);
        // It may narrow and rename the key, and give it more while that ends with the caller.
        Assert.Equal(
            200,
            (
                await _server.SendAsync(
                    HttpMethod.Patch,
                    $"/api/v1/keys/{sleeper}",
                    made.String("key"),
                    new { name = "narrow", scopes = new[] { "read:runs:r1" } }
                )
            ).Status
        );
        Assert.Equal(
            200,
            (
                await _server.SendAsync(
                    HttpMethod.Patch,
                    $"/api/v1/keys/{sleeper}",
                    made.String("key"),
                    new { scopes = new[] { "read:all" }, expiresAt = DateTimeOffset.UtcNow.AddMinutes(30) }
                )
            ).Status
        );
    }

    /// <summary>Between the check of a key and its rotation, the key may get more rights than the caller has.</summary>
    [Fact]
    public async Task A_rotation_hands_out_nothing_that_the_key_was_given_meanwhile()
    {
        var services = _server.App.Services;
        var (keys, store, ring) = (
            services.GetRequiredService<KeyAdmin>(),
            services.GetRequiredService<KeyStore>(),
            services.GetRequiredService<KeyRing>()
        );
        var (_, admin) = await _server.NamedKeyAsync("admin", "admin");
        var caller = new ProjectCaller(
            await _server.ProjectAsync(),
            (await ring.VerifyAsync(admin, _server.Database.Now))!,
            _server.Database
        );
        Assert.True(caller.Allows(RequiredScope.FullAdmin));
        var (id, _) = await _server.NamedKeyAsync("prey", "read:runs");
        var seen = (await store.FindAsync(id))!;
        Assert.Equal(
            200,
            (
                await _server.SendAsync(
                    HttpMethod.Patch,
                    $"/api/v1/keys/{id}",
                    await _server.KeyAsync("admin", "write:approvals"),
                    new { scopes = new[] { "write:approvals" } }
                )
            ).Status
        );
        var refused = Assert.IsType<KeyOutcome.Refused>(await keys.RotateAsync(seen, TimeSpan.Zero, "test", caller));
        Assert.Equal("needs_grant_by_name", refused.Why.Code);
        // The same for an earlier end: a change that shortens the key as read could lengthen the present one.
        var ending = new ProjectCaller(
            caller.Project,
            (
                await ring.VerifyAsync(
                    (
                        await _server.PostAsync(
                            "/api/v1/keys",
                            new
                            {
                                name = "e",
                                scopes = new[] { "admin" },
                                expiresAt = DateTimeOffset.UtcNow.AddHours(1),
                            }
                        )
                    ).String("key"),
                    _server.Database.Now
                )
            )!,
            _server.Database
        );
        var (brief, _) = await _server.NamedKeyAsync("brief", "read:runs");
        var hours = (int count) => _server.Database.Now + (count * 3_600_000_000L);
        await keys.UpdateAsync((await store.FindAsync(brief))!, new KeyChange(ExpiresAt: hours(9)), "test");
        seen = (await store.FindAsync(brief))!;
        await keys.UpdateAsync(seen, new KeyChange(ExpiresAt: _server.Database.Now + 60_000_000), "test");
        Assert.IsType<KeyOutcome.Refused>(
            await keys.UpdateAsync(seen, new KeyChange(ExpiresAt: hours(5)), "test", ending)
        );
    }

    [Fact]
    public async Task Two_changes_of_one_key_at_once_leave_neither_out()
    {
        for (var round = 0; round < 20; round++)
        {
            var (id, _) = await _server.NamedKeyAsync("wide", "read:all", "write:all");
            var both = await Task.WhenAll(
                _server.SendAsync(
                    HttpMethod.Patch,
                    $"/api/v1/keys/{id}",
                    _server.RootKey,
                    new { scopes = new[] { "read:sessions:one" } }
                ),
                _server.SendAsync(HttpMethod.Patch, $"/api/v1/keys/{id}", _server.RootKey, new { name = "renamed" })
            );
            Assert.All(both, a => Assert.Equal(200, a.Status));
            var row = (await _server.GetAsync("/api/v1/keys?limit=200"))
                .Json.GetProperty("data")
                .EnumerateArray()
                .Single(k => k.GetProperty("id").GetString() == id);
            Assert.Equal(
                ("renamed", "[\"read:sessions:one\"]"),
                (row.GetProperty("name").GetString(), row.GetProperty("scopes").GetRawText())
            );
        }
    }

    [Theory]
    [InlineData("revoked")]
    [InlineData("narrowed")]
    [InlineData("rotated")]
    [InlineData("expired")]
    public async Task A_request_that_was_half_sent_makes_no_key_once_its_own_has_ended(string how)
    {
        var (id, key) = await _server.NamedKeyAsync("thief", "admin");
        var body = Encoding.UTF8.GetBytes("{\"name\":\"backdoor\",\"scopes\":[\"admin\"]}" + new string(' ', 200));
        await using var half = await SlowRequest.BeginAsync(
            _server.Url,
            "POST",
            "/api/v1/keys",
            body,
            ("Authorization", "Bearer " + key)
        );
        Assert.NotNull(half);
        await half.SendHalfAsync();
        var ended = how switch
        {
            "revoked" => await _server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", _server.RootKey),
            "narrowed" => await _server.SendAsync(
                HttpMethod.Patch,
                $"/api/v1/keys/{id}",
                _server.RootKey,
                new { scopes = new[] { "read:runs" } }
            ),
            "rotated" => await _server.PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 0 }),
            _ => await _server.SendAsync(
                HttpMethod.Patch,
                $"/api/v1/keys/{id}",
                _server.RootKey,
                new { expiresAt = DateTimeOffset.UtcNow.AddMinutes(10) }
            ),
        };
        Assert.True(ended.Status is 200 or 204, ended.ToString());
        if (how == "expired")
            _server.Clock.Advance(TimeSpan.FromMinutes(11));
        var (status, text) = await half.EndAsync();
        Assert.True(status == (how == "narrowed" ? 403 : 401), text);
        Assert.DoesNotContain(
            "backdoor",
            (await _server.GetAsync("/api/v1/keys?limit=200")).Text,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("revoked")]
    [InlineData("narrowed")]
    [InlineData("rotated")]
    public async Task A_wait_for_work_gets_none_after_the_key_has_ended(string how)
    {
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", _server.RootKey, new { kind = "pull" });
        var (id, key) = await _server.NamedKeyAsync("worker", "write:tasks:p");
        var claim = _server.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 30 }, key);
        await WaitFor.TrueAsync(() => Task.FromResult(_server.HeldRequests > 0));
        if (how == "revoked")
            await _server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", _server.RootKey);
        else if (how == "narrowed")
            await _server.SendAsync(
                HttpMethod.Patch,
                $"/api/v1/keys/{id}",
                _server.RootKey,
                new { scopes = new[] { "read:runs" } }
            );
        else
            await _server.PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 0 });
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "p", input = "after it" })).String("id");
        var answer = await claim.WaitAsync(TimeSpan.FromSeconds(2));
        Assert.Equal(how == "narrowed" ? 403 : 401, answer.Status);
        Assert.Equal("queued", (await _server.GetAsync("/api/v1/runs/" + run)).String("phase"));
    }

    [Fact]
    public async Task A_wait_for_an_answer_tells_nothing_after_the_key_has_ended()
    {
        var asking = await Asking.PrepareAsync(_server);
        var (run, _, request) = await asking.WaitingAsync();
        var (id, key) = await _server.NamedKeyAsync("reader", "read:runs");
        var waits = new[]
        {
            _server.GetAsync($"/api/v1/executions/{run}/approval-status?wait=30", key),
            _server.GetAsync($"/api/v1/runs/{(await asking.RunningAsync()).Run}?wait=30", key),
        };
        await WaitFor.TrueAsync(() => Task.FromResult(_server.HeldRequests >= 2));
        await _server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", _server.RootKey);
        foreach (var wait in waits)
            Assert.Equal(401, (await wait.WaitAsync(TimeSpan.FromSeconds(2))).Status);
        await asking.DecideAsync(request, "approved", "secret feedback");
    }

    private string RootId() => string.Join('_', _server.RootKey.Split('_')[2..3]) is var id ? "key_" + id : "";

    private async Task<(string Id, string Key)> PersonAsync(params string[] scopes)
    {
        var keys = (Postern.Access.KeyAdmin)_server.App.Services.GetService(typeof(Postern.Access.KeyAdmin))!;
        var (row, key) = await keys.CreateAsync(
                await _server.ProjectAsync(),
                "ada@example.com",
                "pat",
                scopes,
                null,
                "command line"
            )
            .ValueAsync();
        return (row.Id, key.Text);
    }
}
