using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Access.Attacks;

/// <summary>Attacks with tokens that are derived from other tokens: a derived token inherits every limit.</summary>
public sealed class DescentAttackTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        await _server.StartSessionAsync("c1");
        await _server.SayAsync("c1", "hello");
        // One turn is complete, so a reader gets a token.
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/realtime/v1/sessions/c1/out/records")).Text.Contains(
                "turn-complete",
                StringComparison.Ordinal
            )
        );
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("=")]
    [InlineData("==")]
    [InlineData("%3D")]
    [InlineData("\t")]
    public async Task A_token_has_one_spelling(string more)
    {
        var token = (
            await _server.PostAsync(
                "/api/v1/auth/public-tokens",
                new { scopes = new[] { "read:sessions" }, oneTimeUse = true }
            )
        ).String("token");
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions", token)).Status);
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions", token)).Status);
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions", token + more)).Status);
        var parts = token.Split('.');
        Assert.Equal(
            401,
            (await _server.GetAsync("/api/v1/sessions", $"{parts[0]}{more}.{parts[1]}.{parts[2]}")).Status
        );
        Assert.Equal(
            401,
            (await _server.GetAsync("/api/v1/sessions", $"{parts[0]}.{parts[1]}{more}.{parts[2]}")).Status
        );
        // The last letter of a signature has two spare bits; its other spellings are refused.
        foreach (var letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
            Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions", token[..^1] + letter)).Status);
        Assert.Equal(400, (await _server.PostAsync("/api/v1/auth/revoke", new { token = token + "=" })).Status);
    }

    [Fact]
    public async Task A_short_token_is_not_lengthened_by_reading()
    {
        var token = await ShortAsync("20s");
        for (var i = 0; i < 12; i++)
        {
            if (await NextAsync(token) is not { } next)
                return;
            Assert.InRange(ExpiryOf(next), 0, ExpiryOf(token));
            token = next;
        }
        Assert.Fail("A line of tokens had no end.");
    }

    [Fact]
    public async Task Streams_of_a_token_end_with_it()
    {
        var token = (
            await _server.PostAsync(
                "/api/v1/auth/public-tokens",
                new { scopes = new[] { "write:tasks:echo", "read:sessions" }, expirationTime = "10m" }
            )
        ).String("token");
        var started = (await _server.StartSessionAsync("c2", token)).String("publicAccessToken");
        Assert.InRange(ExpiryOf(started), 0, ExpiryOf(token));
    }

    [Fact]
    public async Task No_token_is_derived_from_a_one_time_token()
    {
        var once = (
            await _server.PostAsync(
                "/api/v1/auth/public-tokens",
                new { scopes = new[] { "read:sessions:c1", "write:sessions:c1" }, oneTimeUse = true }
            )
        ).String("token");
        Assert.Null(await NextAsync(once));
        var starter = (
            await _server.PostAsync(
                "/api/v1/auth/public-tokens",
                new { scopes = new[] { "write:tasks:echo" }, oneTimeUse = true }
            )
        ).String("token");
        var started = await _server.StartSessionAsync("c3", starter);
        Assert.Equal(
            (201, JsonValueKind.Null),
            (started.Status, started.Json.GetProperty("publicAccessToken").ValueKind)
        );
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Ending_a_token_ends_everything_derived_from_it(int ended)
    {
        var line = await LineAsync(4);
        Assert.Equal(200, (await _server.PostAsync("/api/v1/auth/revoke", new { token = line[ended] })).Status);
        for (var i = 0; i < line.Count; i++)
            Assert.Equal(i < ended ? 200 : 401, (await _server.GetAsync("/api/v1/sessions/c1", line[i])).Status);
    }

    [Fact]
    public async Task A_line_is_ended_by_its_subject_from_its_first_token_on()
    {
        var line = await LineAsync(3);
        var between = DateTimeOffset.UtcNow.AddSeconds(1);
        _server.Clock.Advance(TimeSpan.FromSeconds(5));
        var late = await NextAsync(line[^1]);
        await _server.PostAsync(
            "/api/v1/auth/revoke",
            new { subject = await _server.ProjectAsync(), issuedBefore = between }
        );
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions/c1", late!)).Status);
    }

    [Theory]
    [InlineData("revoked")]
    [InlineData("rotated")]
    [InlineData("expired")]
    [InlineData("narrowed")]
    public async Task A_line_follows_the_key_that_minted_its_first(string how)
    {
        var (id, key) = await _server.NamedKeyAsync("backend", "read:sessions", "write:sessions");
        var minted = await _server.TokenOfAsync(key, "read:sessions:c1", "write:sessions:c1");
        var derived = (await NextAsync(minted))!;
        var ofTheKey = (await NextAsync(key))!;
        switch (how)
        {
            case "revoked":
                await _server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", _server.RootKey);
                break;
            case "rotated":
                await _server.PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 0 });
                break;
            case "expired":
                await _server.SendAsync(
                    HttpMethod.Patch,
                    $"/api/v1/keys/{id}",
                    _server.RootKey,
                    new { expiresAt = DateTimeOffset.UtcNow.AddMinutes(5) }
                );
                _server.Clock.Advance(TimeSpan.FromMinutes(6));
                break;
            default:
                await _server.SendAsync(
                    HttpMethod.Patch,
                    $"/api/v1/keys/{id}",
                    _server.RootKey,
                    new { scopes = new[] { "read:sessions:none", "write:sessions:none" } }
                );
                break;
        }
        foreach (var token in new[] { minted, derived, ofTheKey })
            Assert.Equal(how == "narrowed" ? 404 : 401, (await _server.GetAsync("/api/v1/sessions/c1", token)).Status);
    }

    [Fact]
    public async Task A_rotation_with_an_overlap_ends_what_the_old_secret_made_when_it_is_over()
    {
        var (id, key) = await _server.NamedKeyAsync("backend", "read:sessions");
        var before = await _server.TokenOfAsync(key, "read:sessions");
        var turned = (await _server.PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 60 })).String("key");
        var after = await _server.TokenOfAsync(turned, "read:sessions");
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions", before)).Status);
        _server.Clock.Advance(TimeSpan.FromSeconds(90));
        Assert.Equal(
            (401, 200),
            (
                (await _server.GetAsync("/api/v1/sessions", before)).Status,
                (await _server.GetAsync("/api/v1/sessions", after)).Status
            )
        );
    }

    [Fact]
    public async Task A_token_signed_with_the_root_key_cannot_borrow_another_name()
    {
        var asking = await Asking.PrepareAsync(_server);
        var (id, key) = await _server.NamedKeyAsync("ada", "write:approvals");
        var real = JsonDocument
            .Parse(
                System.Buffers.Text.Base64Url.DecodeFromChars(
                    (await _server.TokenOfAsync(key, "write:approvals")).Split('.')[1]
                )
            )
            .RootElement;
        var (run, _, _) = await asking.WaitingAsync();
        foreach (
            var (more, what) in new (object, string)[]
            {
                (new { key = id }, "names the key"),
                (new { key = id, seal = real.GetProperty("seal").GetString() }, "takes the seal of another token"),
                (new { key = id, seal = "AAAA" }, "makes up a seal"),
                (new { origin = id }, "as version 0.3.0 wrote it"),
                (new { line = new[] { "tok_x" }, since = 1 }, "makes up ancestors"),
            }
        )
        {
            var forged = await SignAsync(more, "write:approvals");
            var refused = await _server.PostAsync(
                $"/api/v1/executions/{run}/approval-response",
                new { decision = "approved" },
                forged
            );
            Assert.True(refused.Status is 401 or 403, $"{what}: {refused}");
        }
        Assert.Equal("pending", (await asking.StatusAsync(run)).GetProperty("status").GetString());
    }

    /// <summary>A token as version 0.3.0 made it: it opens what it says, and follows its key.</summary>
    [Fact]
    public async Task A_token_of_an_older_version_follows_its_key_as_well()
    {
        var (id, _) = await _server.NamedKeyAsync("backend", "read:sessions");
        var old = await SignAsync(new { origin = id }, "read:sessions", "write:sessions");
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions", old)).Status);
        Assert.Equal(403, (await _server.PostAsync("/realtime/v1/sessions/c1/in/append", "x", old)).Status);
        await _server.PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 0 });
        _server.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions", old)).Status);
        Assert.Equal(
            401,
            (await _server.GetAsync("/api/v1/sessions", await SignAsync(new { origin = id }, "read:sessions"))).Status
        );
    }

    [Theory]
    [InlineData("revoked", 401)]
    [InlineData("rotated", 401)]
    [InlineData("narrowed", 404)]
    public async Task Tokens_derived_from_a_token_of_an_older_version_follow_its_key(string how, int status)
    {
        var (id, _) = await _server.NamedKeyAsync("backend", "read:sessions", "write:sessions");
        var old = await SignAsync(new { origin = id }, "read:sessions:c1", "write:sessions:c1");
        var derived = (await NextAsync((await NextAsync(old))!))!;
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/c1", derived)).Status);
        if (how == "revoked")
            await _server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", _server.RootKey);
        else if (how == "rotated")
            await _server.PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 0 });
        else
            await _server.SendAsync(
                HttpMethod.Patch,
                $"/api/v1/keys/{id}",
                _server.RootKey,
                new { scopes = new[] { "read:runs" } }
            );
        _server.Clock.Advance(TimeSpan.FromSeconds(1));
        foreach (var token in new[] { old, derived })
            Assert.Equal(status, (await _server.GetAsync("/api/v1/sessions/c1", token)).Status);
    }

    [Fact]
    public async Task Tokens_derived_from_a_client_signed_token_end_with_the_signing_secret()
    {
        var signed = await SignAsync(new { }, "read:sessions:c1", "write:sessions:c1");
        var derived = (await NextAsync((await NextAsync(signed))!))!;
        var id = "key_" + _server.RootKey.Split('_')[2];
        var root = (await _server.PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 60 })).String("key");
        var late = (await NextAsync(derived))!;
        foreach (var token in new[] { signed, derived, late })
            Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/c1", token)).Status);
        _server.Clock.Advance(TimeSpan.FromSeconds(90));
        foreach (var token in new[] { signed, derived, late })
            Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions/c1", token)).Status);
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/c1", root)).Status);
    }

    /// <summary>A session has two names: a key for one of them gives out tokens for the other.</summary>
    [Fact]
    public async Task A_token_and_its_key_may_name_a_session_by_either_name()
    {
        var session = (await _server.GetAsync("/api/v1/sessions/c1")).String("id");
        var (key, other) = (
            await _server.KeyAsync($"read:sessions:{session}", $"write:sessions:{session}"),
            (await _server.StartSessionAsync("c9")).String("id")
        );
        var derived = (await NextAsync(key))!;
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/c1", derived)).Status);
        foreach (var name in new[] { "c9", other })
            Assert.Equal(404, (await _server.GetAsync("/api/v1/sessions/" + name, derived)).Status);
    }

    private async Task<string> ShortAsync(string life) =>
        (
            await _server.PostAsync(
                "/api/v1/auth/public-tokens",
                new { scopes = new[] { "read:sessions:c1", "write:sessions:c1" }, expirationTime = life }
            )
        ).String("token");

    private async Task<List<string>> LineAsync(int length)
    {
        var line = new List<string> { await ShortAsync("30m") };
        while (line.Count < length)
            line.Add((await NextAsync(line[^1]))!);
        return line;
    }

    /// <summary>The token that a reader of the completed turn gets; null when there is none.</summary>
    private async Task<string?> NextAsync(string credential)
    {
        await using var stream = await _server.StreamAsync(
            "/realtime/v1/sessions/c1/out",
            credential,
            ("X-Peek-Settled", "1")
        );
        if (stream.Status != 200)
            return null;
        var end = (await stream.RecordsAsync()).Single(r =>
            r.TryGetProperty("headers", out var h) && h.GetRawText().Contains("turn-complete", StringComparison.Ordinal)
        );
        return end.GetProperty("headers")
            .EnumerateArray()
            .Where(h => h[0].GetString() == "public-access-token")
            .Select(h => h[1].GetString())
            .SingleOrDefault();
    }

    private static long ExpiryOf(string token) =>
        JsonDocument
            .Parse(System.Buffers.Text.Base64Url.DecodeFromChars(token.Split('.')[1]))
            .RootElement.GetProperty("exp")
            .GetInt64();

    private async Task<string> SignAsync(object more, params string[] scopes)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var payload = JsonSerializer
            .SerializeToNode(
                new
                {
                    sub = await _server.ProjectAsync(),
                    pub = true,
                    scopes,
                    iss = "postern",
                    aud = "postern",
                    iat = now - 5,
                    exp = now + 3600,
                    jti = Guid.NewGuid().ToString("N"),
                }
            )!
            .AsObject();
        foreach (var (name, value) in JsonSerializer.SerializeToNode(more)!.AsObject())
            payload[name] = value?.DeepClone();
        var text =
            Encode("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"u8)
            + "."
            + Encode(Encoding.UTF8.GetBytes(payload.ToJsonString()));
        return text
            + "."
            + Encode(
                System.Security.Cryptography.HMACSHA256.HashData(
                    Encoding.UTF8.GetBytes(_server.RootKey),
                    Encoding.ASCII.GetBytes(text)
                )
            );
    }

    private static string Encode(ReadOnlySpan<byte> bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);
}
