using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Access;

/// <summary>Forged tokens. Each forgery is tried on a route that a right token opens.</summary>
public sealed class TokenAttackTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private string _project = "";

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _project = await _server.ProjectAsync();
        await _server.StartSessionAsync("prey");
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private long Now => DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    private Dictionary<string, object> Claims() =>
        new()
        {
            ["sub"] = _project,
            ["pub"] = true,
            ["scopes"] = new[] { "read:sessions" },
            ["iss"] = "https://id.trigger.dev",
            ["aud"] = "https://api.trigger.dev",
            ["iat"] = Now,
            ["exp"] = Now + 600,
        };

    private static string Encode(byte[] bytes) =>
        Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    private static string Sign(string header, string payload, byte[] key)
    {
        var signed = Encode(Encoding.UTF8.GetBytes(header)) + "." + Encode(Encoding.UTF8.GetBytes(payload));
        return signed + "." + Encode(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(signed)));
    }

    private string Forge(object? claims = null, string header = "{\"alg\":\"HS256\"}", string? key = null) =>
        Sign(
            header,
            claims as string ?? JsonSerializer.Serialize(claims ?? Claims()),
            Encoding.UTF8.GetBytes(key ?? _server.RootKey)
        );

    private async Task RefusedAsync(string token, string reason)
    {
        var answer = await _server.GetAsync("/api/v1/sessions/prey", token);
        Assert.True(answer.Status == 401, answer.ToString());
        Assert.Contains($"reason=\"{reason}\"", answer.Header("WWW-Authenticate"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_that_a_client_signed_with_the_root_key_opens()
    {
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/prey", Forge())).Status);
        Assert.Equal(
            200,
            (await _server.GetAsync("/api/v1/sessions/prey", Forge(key: "tr_dev_" + _server.RootKey))).Status
        );
    }

    [Fact]
    public async Task A_token_without_an_algorithm_is_refused()
    {
        var payload = Encode(JsonSerializer.SerializeToUtf8Bytes(Claims()));
        foreach (var alg in (string[])["none", "None", "NONE", "nOnE", ""])
        {
            var header = Encode(Encoding.UTF8.GetBytes($"{{\"alg\":\"{alg}\"}}"));
            await RefusedAsync($"{header}.{payload}.AAAA", "malformed");
            Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions/prey", $"{header}.{payload}.")).Status);
        }
    }

    [Theory]
    [InlineData("{\"alg\":\"HS384\"}")]
    [InlineData("{\"alg\":\"HS512\"}")]
    [InlineData("{\"alg\":\"RS256\"}")]
    [InlineData("{\"alg\":\"ES256\"}")]
    [InlineData("{\"alg\":\"hs256\"}")]
    [InlineData("{\"alg\":[\"HS256\"]}")]
    [InlineData("{\"alg\":\"HS256\",\"alg\":\"none\"}")]
    [InlineData("{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}")]
    [InlineData("{\"alg\":\"HS256\",\"jku\":\"http://127.0.0.1/keys\"}")]
    [InlineData("{\"alg\":\"HS256\",\"x5u\":\"http://127.0.0.1/keys\"}")]
    [InlineData("{\"alg\":\"HS256\",\"x5c\":[\"AAAA\"]}")]
    [InlineData("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}")]
    [InlineData("{\"alg\":\"HS256\",\"zip\":\"DEF\"}")]
    [InlineData("{\"alg\":\"HS256\",\"b64\":false}")]
    public Task Another_header_than_plain_HS256_is_refused(string header) =>
        RefusedAsync(Forge(header: header), "malformed");

    [Fact]
    public async Task A_signature_by_anything_but_the_root_key_is_refused()
    {
        await RefusedAsync(Forge(key: "not the key, but as long as one would have to be for HS256"), "bad_signature");
        await RefusedAsync(Forge(key: await _server.KeyAsync()), "bad_signature");
        // HMAC hashes a key longer than its block: the SHA-256 that a look-up might store must not sign.
        await RefusedAsync(
            Sign(
                "{\"alg\":\"HS256\"}",
                JsonSerializer.Serialize(Claims()),
                Encoding.UTF8.GetBytes(Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(_server.RootKey))))
            ),
            "bad_signature"
        );
        var row = await _server.Database.ReadAsync(tx =>
            tx.FirstAsync("SELECT digest FROM api_key WHERE kind = 'root'", r => r.GetFieldValue<byte[]>(0))
        );
        await RefusedAsync(Sign("{\"alg\":\"HS256\"}", JsonSerializer.Serialize(Claims()), row!), "bad_signature");
    }

    [Fact]
    public async Task A_tampered_payload_is_refused()
    {
        var parts = Forge().Split('.');
        var claims = Claims();
        claims["scopes"] = new[] { "admin" };
        await RefusedAsync(
            $"{parts[0]}.{Encode(JsonSerializer.SerializeToUtf8Bytes(claims))}.{parts[2]}",
            "bad_signature"
        );
    }

    [Fact]
    public async Task Another_projects_token_is_refused()
    {
        var other = await _server.PostAsync("/api/v1/projects", new { name = "other" });
        var claims = Claims();
        claims["sub"] = other.String("id");
        await RefusedAsync(Forge(claims), "bad_signature");
        Assert.Equal(
            404,
            (await _server.GetAsync("/api/v1/sessions/prey", Forge(claims, key: other.String("rootKey")))).Status
        );
        claims["sub"] = "proj_nobody";
        await RefusedAsync(Forge(claims), "wrong_project");
    }

    [Fact]
    public async Task Time_is_checked()
    {
        await RefusedAsync(With("exp", Now - 3600), "expired");
        await RefusedAsync(With("exp", Now + (31 * 86_400)), "malformed");
        await RefusedAsync(With("exp", null), "malformed");
        await RefusedAsync(With("exp", "tomorrow"), "malformed");
        await RefusedAsync(With("exp", -1), "malformed");
        await RefusedAsync(With("nbf", Now + 3600), "malformed");
        await RefusedAsync(With("iat", Now + 3600), "malformed");
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/prey", With("exp", Now - 10))).Status);
        var token = Forge();
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/prey", token)).Status);
        _server.Clock.Advance(TimeSpan.FromMinutes(11));
        await RefusedAsync(token, "expired");
    }

    [Fact]
    public async Task Claims_are_read_strictly()
    {
        await RefusedAsync(With("pub", "true"), "malformed");
        await RefusedAsync(With("pub", null), "malformed");
        await RefusedAsync(With("sub", null), "malformed");
        await RefusedAsync(With("sub", 7), "malformed");
        await RefusedAsync(With("scopes", "admin"), "malformed");
        await RefusedAsync(With("iss", "https://elsewhere.example"), "bad_signature");
        await RefusedAsync(With("aud", "https://elsewhere.example"), "bad_signature");
        var plain = JsonSerializer.Serialize(Claims());
        await RefusedAsync(Forge(plain[..^1] + ",\"scopes\":[\"admin\"]}"), "malformed");
        await RefusedAsync(Forge(plain[..^1] + ",\"sub\":\"proj_other\"}"), "malformed");
        await RefusedAsync(Forge("[]"), "malformed");
        await RefusedAsync(Forge("{"), "malformed");
    }

    [Fact]
    public async Task A_huge_token_is_refused_without_being_looked_at()
    {
        var claims = Claims();
        claims["scopes"] = Enumerable.Range(0, 900).Select(i => "read:sessions:" + i).ToArray();
        await RefusedAsync(Forge(claims), "malformed");
    }

    [Fact]
    public async Task Malformed_and_empty_scopes_match_nothing()
    {
        foreach (
            var scope in (string[])
                [
                    "read:sessions:",
                    "read::prey",
                    ":sessions",
                    "read",
                    "read sessions",
                    " admin",
                    "Admin",
                    "root:sessions",
                    "read:everything",
                    "*",
                    "read:*",
                ]
        )
        {
            var claims = Claims();
            claims["scopes"] = new[] { scope };
            Assert.Equal(404, (await _server.GetAsync("/api/v1/sessions/prey", Forge(claims))).Status);
        }
    }

    [Fact]
    public async Task One_of_64_simultaneous_uses_of_a_one_time_token_succeeds()
    {
        var token = (
            await _server.PostAsync(
                "/api/v1/auth/public-tokens",
                new { scopes = new[] { "read:sessions" }, oneTimeUse = true }
            )
        ).String("token");
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 64).Select(_ => _server.GetAsync("/api/v1/sessions/prey", token))
        );
        Assert.Equal(1, answers.Count(a => a.Status == 200));
        Assert.Equal(63, answers.Count(a => a.Status == 401));
        var claims = Claims();
        claims["otu"] = true;
        var signedByClient = Forge(claims);
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/prey", signedByClient)).Status);
        Assert.Equal(401, (await _server.GetAsync("/api/v1/sessions/prey", signedByClient)).Status);
    }

    private string With(string claim, object? value)
    {
        var claims = Claims();
        if (value is null)
            claims.Remove(claim);
        else
            claims[claim] = value;
        return Forge(claims);
    }
}
