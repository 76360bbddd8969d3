using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>Why a token does not open: the <c>reason</c> in <c>WWW-Authenticate</c>.</summary>
internal enum TokenFault
{
    Malformed,
    BadSignature,
    Expired,
    Revoked,
    WrongProject,
}

/// <summary>A token that verified: the authority behind its requests and streams.</summary>
internal sealed class TokenGrant(TokenClaims claims, KeyEntry root, byte[] signedBy, string digest, Revocations revocations) : Authority
{
    public TokenClaims Claims => claims;

    /// <summary>SHA-256 of the token, hex: how a single token is revoked or used up without keeping it.</summary>
    public string Digest => digest;

    public override string Credential => "token";

    public override string Actor => claims.Subject;

    public override ScopeSet Scopes { get; } = ScopeSet.Parse(claims.Scopes);

    public override long? ExpiresAt => claims.ExpiresAt + Tokens.ClockSkew;

    public override string? WhyEnded(long now)
    {
        if (claims.ExpiresAt + Tokens.ClockSkew <= now) return StreamEnd.Expired;
        if (!root.StillSigns(signedBy, now)) return StreamEnd.Revoked;
        return revocations.Ends(claims, digest) ? StreamEnd.Revoked : null;
    }
}

/// <summary>What a token says. Times are microseconds.</summary>
/// <param name="Project">The claim <c>sub</c>.</param>
/// <param name="Subject"><c>act.sub</c>, or <c>sub</c> when there is none: whose token it is, for revocation.</param>
/// <param name="Client"><c>act.client</c>.</param>
/// <param name="Run">The run whose own token it is.</param>
/// <param name="Session">The session of that run.</param>
/// <param name="Attempt">The attempt of that run.</param>
/// <param name="Origin">The <c>jti</c>, digest or key id of what it was derived from: what ends that ends this.</param>
internal sealed record TokenClaims(
    string Project, string Subject, string? Client, IReadOnlyList<string> Scopes, long IssuedAt, long ExpiresAt, string? Jti, bool OneTime,
    string? Run = null, string? Session = null, long Attempt = 0, string? Origin = null);

/// <summary>
/// Tokens (JWT, HS256 and nothing else), minted here or by a client that holds the root key. The library verifies the
/// signature; everything a token could smuggle past it (another algorithm, an embedded key, a claim said twice, no expiry) is
/// refused before.
/// </summary>
internal sealed class Tokens(KeyRing keys, KeyStore store, Revocations revocations, TimeProvider clock)
{
    public const string Issuer = "postern";
    public const string Audience = "postern";

    /// <summary>What existing client libraries write when they sign by themselves.</summary>
    private const string ClientIssuer = "https://id.trigger.dev";
    private const string ClientAudience = "https://api.trigger.dev";
    private const int MaxLength = 8192;
    private const int CacheSize = 20_000;

    /// <summary>Microseconds.</summary>
    public const long ClockSkew = 30_000_000;
    public static readonly TimeSpan MaxLife = TimeSpan.FromDays(30);

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 8 };
    private static readonly string[] AllowedHeaders = ["alg", "typ", "kid"];
    private static readonly JsonWebTokenHandler Handler = new() { SetDefaultTimesOnTokenCreation = false };
    private readonly ConcurrentDictionary<UInt128, TokenGrant> _verified = new();

    /// <summary>The grant of a presented token, or why there is none. A verified token is remembered; what can end it is asked every time.</summary>
    public async ValueTask<(TokenGrant? Grant, TokenFault Fault)> VerifyAsync(string token, long now)
    {
        if (token.Length > MaxLength || !Ascii.IsValid(token)) return (null, TokenFault.Malformed);
        var hash = Hash(token);
        var cacheKey = new UInt128(BitConverter.ToUInt64(hash), BitConverter.ToUInt64(hash, 8));
        if (!_verified.TryGetValue(cacheKey, out var grant) || grant.Digest != Convert.ToHexStringLower(hash))
        {
            (grant, var fault) = await VerifyNewAsync(token, Convert.ToHexStringLower(hash), now);
            if (grant is null) return (null, fault);
            // A bound, not a policy: whoever fills it makes everyone verify again, once.
            if (_verified.Count >= CacheSize) _verified.Clear();
            _verified[cacheKey] = grant;
        }
        return grant.WhyEnded(now) switch
        {
            null => (grant, default),
            StreamEnd.Expired => (null, TokenFault.Expired),
            _ => (null, TokenFault.Revoked),
        };
    }

    /// <summary>True for the first use of a one-time token, on whatever node; it is used up by being accepted, whatever the request then does.</summary>
    public Task<bool> UseOnceAsync(TokenGrant grant) => store.UseOnceAsync(grant.Claims.Project, grant.Digest, grant.ExpiresAt!.Value);

    public static byte[] Hash(string token) => SHA256.HashData(Encoding.ASCII.GetBytes(token));

    /// <summary>The <c>jti</c> of a token that is not verified: to end it, never to open anything.</summary>
    public static string? JtiOf(string token, long now) => ReadClaims(token, now)?.Jti;

    /// <summary>Signs a token under the project's root key.</summary>
    public async ValueTask<string> MintAsync(string project, IReadOnlyList<string> scopes, long expiresAt, TokenExtras? extras = null)
    {
        var root = await keys.RootAsync(project) ?? throw new InvalidOperationException("A project without a root key mints no tokens.");
        return Sign(root.SigningKey(SqliteDatabase.Microseconds(clock)), project, scopes, clock.GetUtcNow(), expiresAt, Id.New("tok", clock), extras);
    }

    private static string Sign(SymmetricSecurityKey rootKey, string project, IReadOnlyList<string> scopes, DateTimeOffset now, long expiresAt, string jti, TokenExtras? extras = null)
    {
        var claims = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["sub"] = project,
            ["pub"] = true,
            ["scopes"] = scopes,
            ["iat"] = now.ToUnixTimeSeconds(),
            ["exp"] = expiresAt / 1_000_000,
            ["jti"] = jti,
        };
        if (extras?.OneTime == true) claims["otu"] = true;
        if (extras?.Person is { } person) claims["act"] = new Dictionary<string, object>(StringComparer.Ordinal) { ["sub"] = person, ["client"] = extras.Client! };
        if (extras?.Origin is { } origin) claims["origin"] = origin;
        if (extras?.Run is { } run) claims["run"] = new Dictionary<string, object>(StringComparer.Ordinal) { ["id"] = run, ["session"] = extras.Session ?? "", ["attempt"] = extras.Attempt };
        return Handler.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = Issuer,
            Audience = Audience,
            Claims = claims,
            SigningCredentials = new SigningCredentials(rootKey, SecurityAlgorithms.HmacSha256),
        });
    }

    private async ValueTask<(TokenGrant?, TokenFault)> VerifyNewAsync(string token, string digest, long now)
    {
        if (ReadClaims(token, now) is not { } claims) return (null, TokenFault.Malformed);
        if (await keys.RootAsync(claims.Project) is not { } root) return (null, TokenFault.WrongProject);
        foreach (var signing in root.SigningKeys(now))
        {
            var result = await Handler.ValidateTokenAsync(token, new TokenValidationParameters
            {
                ValidAlgorithms = [SecurityAlgorithms.HmacSha256],
                IssuerSigningKey = signing.Key,
                ValidIssuers = [Issuer, ClientIssuer],
                ValidAudiences = [Audience, ClientAudience],
                // The lifetime is checked against this server's clock, above and on every use.
                ValidateLifetime = false,
            });
            if (result.IsValid) return (new TokenGrant(claims, root, signing.Digest, digest, revocations), default);
        }
        return (null, TokenFault.BadSignature);
    }

    /// <summary>The claims, read strictly and not yet trusted: they only choose the key that the signature is tried with.</summary>
    private static TokenClaims? ReadClaims(string token, long now)
    {
        var parts = token.Split('.');
        if (parts.Length != 3 || parts.Any(p => p.Length == 0 || !Base64Url.IsValid(p))) return null;
        try
        {
            using var header = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[0]), Strict);
            using var payload = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[1]), Strict);
            return HeaderIsPlain(header.RootElement) ? ReadPayload(payload.RootElement, now) : null;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private static bool HeaderIsPlain(JsonElement header) =>
        header.ValueKind == JsonValueKind.Object
        && header.EnumerateObject().All(m => AllowedHeaders.Contains(m.Name, StringComparer.Ordinal) && m.Value.ValueKind == JsonValueKind.String)
        && header.TryGetProperty("alg", out var alg) && alg.ValueEquals("HS256");

    private static TokenClaims? ReadPayload(JsonElement payload, long now)
    {
        if (payload.ValueKind != JsonValueKind.Object) return null;
        if (!payload.TryGetProperty("pub", out var pub) || pub.ValueKind != JsonValueKind.True) return null;
        if (TextOf(payload, "sub") is not { Length: > 0 } project) return null;
        if (Seconds(payload, "exp") is not { } expires || expires - now > Wire.Microseconds(MaxLife) + ClockSkew) return null;
        var issued = Seconds(payload, "iat");
        if (issued > now + ClockSkew || Seconds(payload, "nbf") > now + ClockSkew) return null;
        var scopes = new List<string>();
        if (payload.TryGetProperty("scopes", out var listed))
        {
            if (listed.ValueKind != JsonValueKind.Array || listed.GetArrayLength() > 1000) return null;
            foreach (var scope in listed.EnumerateArray()) scopes.Add(scope.GetString() ?? "");
        }
        var act = payload.TryGetProperty("act", out var actor) && actor.ValueKind == JsonValueKind.Object ? actor : default;
        var run = payload.TryGetProperty("run", out var worker) && worker.ValueKind == JsonValueKind.Object ? worker : default;
        return new TokenClaims(
            project, TextOf(act, "sub") ?? project, TextOf(act, "client"), scopes, issued ?? 0, expires, TextOf(payload, "jti"),
            payload.TryGetProperty("otu", out var once) && once.ValueKind == JsonValueKind.True,
            TextOf(run, "id"), TextOf(run, "session"), run.ValueKind == JsonValueKind.Object && run.TryGetProperty("attempt", out var attempt) ? attempt.GetInt64() : 0,
            TextOf(payload, "origin"));
    }

    private static string? TextOf(JsonElement from, string name) =>
        from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out var value) ? value.ValueKind == JsonValueKind.String ? Fields.TextOf(value) : throw new FormatException() : null;

    private static long? Seconds(JsonElement from, string name)
    {
        if (!from.TryGetProperty(name, out var value)) return null;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out var seconds) || seconds is < 0 or > 253_402_300_799) throw new FormatException();
        return (long)(seconds * 1_000_000);
    }
}

/// <summary>What a minted token carries beside its scopes.</summary>
internal sealed record TokenExtras(bool OneTime = false, string? Person = null, string? Client = null, string? Run = null, string? Session = null, long Attempt = 0, string? Origin = null);
