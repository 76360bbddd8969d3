using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>Minting and ending tokens. The texts are those that existing client libraries know.</summary>
internal sealed class TokenRoutes(Tokens tokens, KeyAdmin admin, Projects projects, Database database, ErrorFamily family, TimeProvider clock)
{
    private const int MaxBody = 64 * 1024;
    private const int MaxScopes = 1000;
    private static readonly string[] Environments = ["dev", "staging", "prod", "preview"];

    public void Map(Doors doors)
    {
        var auth = doors.Group("/api/v1/auth", family);
        auth.Post("/jwt/claims", Opens.Key, "any key", ReadClaims).Says("The claims that a client signs by itself with the root key").Gives<ClaimsView>().Gives(401);
        auth.Post("/jwt", Opens.Key, "scopes within the key's", MintJwt).Says("Mint a token").Takes<MintJwt>().Gives<TokenView>().Gives(400, 401, 403);
        auth.Post("/public-tokens", Opens.Key, "scopes within the key's", MintPublic).Says("Mint a public token").Takes<MintPublicToken>().Gives<TokenView>().Gives(400, 401, 403);
        auth.Post("/revoke", Opens.Key, Rule.Admin, Revoke).Says("End a token, or all tokens of a subject, before their time").Takes<RevokeTokens>().Gives<RevokedView>().Gives(400, 401, 403);

        var people = doors.Group("/api/v1/projects/{ref}/{env}", family);
        people.Post("/jwt", Opens.PersonalKey, "scopes clamped to the key's", MintForPerson).Says("Mint a token for a person's command-line client").Takes<MintJwt>().Gives<TokenView>().Gives(400, 401, 404);
    }

    private async Task<IResult> ReadClaims(HttpContext http, ProjectCaller caller)
    {
        caller.DecidedByHandler();
        await Task.CompletedTask;
        return Reply.Ok(new ClaimsView(caller.Project, true));
    }

    private async Task<IResult> MintJwt(HttpContext http, ProjectCaller caller)
    {
        caller.DecidedByHandler();
        var (fields, unreadable) = await ReadBodyAsync(http);
        if (fields is null) return unreadable!;
        var claims = fields.Object("claims");
        var scopes = claims is { } object_ ? new Fields(object_).Texts("scopes", MaxScopes, 600) ?? [] : [];
        if (fields.Faults.Count > 0) return InvalidBody;
        return await MintAsync(caller, scopes, ReadExpiration(fields, "1h"), new TokenExtras());
    }

    private async Task<IResult> MintPublic(HttpContext http, ProjectCaller caller)
    {
        caller.DecidedByHandler();
        var (fields, unreadable) = await ReadBodyAsync(http);
        if (fields is null) return unreadable!;
        var scopes = fields.Texts("scopes", MaxScopes, 600, required: true);
        var once = fields.Flag("oneTimeUse") ?? false;
        if (fields.Faults.Count > 0 || scopes is not { Count: > 0 }) return InvalidBody;
        return await MintAsync(caller, scopes, ReadExpiration(fields, "15m"), new TokenExtras(OneTime: once));
    }

    private async Task<IResult> MintForPerson(HttpContext http, ProjectCaller caller)
    {
        caller.DecidedByHandler();
        if (!Environments.Contains(RequestPath.Segment(http, 4), StringComparer.Ordinal) || !await NamesProjectAsync(RequestPath.Segment(http, 3), caller.Project))
            return new Refusal(404, "Project not found") { ShouldRetry = false };
        var (fields, unreadable) = await ReadBodyAsync(http);
        if (fields is null) return unreadable!;
        var asked = fields.Object("claims") is { } claims ? new Fields(claims).Texts("scopes", MaxScopes, 600) ?? [] : [];
        if (fields.Faults.Count > 0) return InvalidBody;
        // Clamped, not refused: the client asks for all it might need.
        var scopes = asked.Where(text => Scope.TryParse(text, out var scope) && caller.Scopes.MayMint(scope)).ToList();
        return await MintAsync(caller, scopes, ReadExpiration(fields, "1h"), new TokenExtras(Person: caller.Authority.Actor, Client: "personal-access-token"));
    }

    private async Task<IResult> Revoke(HttpContext http, ProjectCaller caller)
    {
        var (fields, unreadable) = await Fields.ReadAsync(http, MaxBody);
        if (fields is null) return unreadable!;
        var token = fields.Text("token", 1, 8192);
        var jti = fields.Text("jti", 1, 256);
        var subject = fields.Text("subject", 1, 256);
        var before = fields.Instant("issuedBefore");
        if (new[] { token, jti, subject }.Count(t => t is not null) != 1) fields.Fault("token, jti, subject", "name exactly one");
        if (subject is not null && before is null) fields.Fault("issuedBefore", "is required with subject");
        fields.RefuseUnknown();
        if (fields.Refusal() is { } wrong) return wrong;
        var until = database.Now + Wire.Microseconds(Tokens.MaxLife) + Tokens.ClockSkew;
        var rule = token is not null ? new RevocationRow(caller.Project, "token", Convert.ToHexStringLower(Tokens.Hash(token)), null, until, 0)
            : jti is not null ? new RevocationRow(caller.Project, "jti", jti, null, until, 0)
            : new RevocationRow(caller.Project, "subject", subject!, before, Math.Max(until, before!.Value + Wire.Microseconds(Tokens.MaxLife)), 0);
        await admin.RevokeTokensAsync(rule, Audit.ActorOf(caller.Authority));
        // Tokens derived from this one name it by its jti, where it has one.
        if (token is not null && Tokens.JtiOf(token, database.Now) is { } own) await admin.RevokeTokensAsync(rule with { Kind = "jti", Value = own }, Audit.ActorOf(caller.Authority));
        return Reply.Ok(new RevokedView(true));
    }

    private async Task<IResult> MintAsync(ProjectCaller caller, IReadOnlyList<string> scopes, (long ExpiresAt, Refusal? Wrong) expiration, TokenExtras extras)
    {
        if (expiration.Wrong is not null) return expiration.Wrong;
        if (ScopeSet.FirstMalformed(scopes) is { } malformed) return Refusal.BadRequest($"Invalid scope: {malformed}") with { ShouldRetry = false };
        var denied = scopes.Where(text => !ScopeSet.Parse([text]).Listed.All(caller.Scopes.MayMint)).ToList();
        if (denied.Count > 0)
            return new Refusal(403, "The scopes exceed those of the key", "scopes_exceed_key_access") { Extra = [("deniedScopes", denied)], ShouldRetry = false };
        // Never beyond the key that mints it: in time, and after its revocation.
        if (caller.Authority is KeyEntry { Row.Kind: not "root" } key) extras = extras with { Origin = key.Row.Id };
        var expiresAt = Math.Min(expiration.ExpiresAt, caller.Authority.ExpiresAt ?? long.MaxValue);
        return Reply.Ok(new TokenView(await tokens.MintAsync(caller.Project, scopes, expiresAt, extras)));
    }

    private static async ValueTask<(Fields? Fields, Refusal? Refusal)> ReadBodyAsync(HttpContext http)
    {
        var (fields, refusal) = await Fields.ReadAsync(http, MaxBody, emptyObject: true);
        return refusal is { Status: 400 } ? (null, InvalidBody) : (fields, refusal);
    }

    private static Refusal InvalidBody => Refusal.BadRequest("Invalid request body") with { ShouldRetry = false };

    /// <summary>A span (<c>15m</c>), Unix seconds as a number, or an ISO date: when the token ends, microseconds.</summary>
    private (long ExpiresAt, Refusal? Wrong) ReadExpiration(Fields fields, string standard)
    {
        var now = SqliteDatabase.Microseconds(clock);
        long expiresAt;
        switch (fields.Any("expirationTime"))
        {
            case null:
                return Wire.TryParseSpan(standard, out var span) ? (now + Wire.Microseconds(span), null) : throw new ArgumentException("A default is a span.", nameof(standard));
            case { ValueKind: JsonValueKind.Number } number when number.TryGetInt64(out var seconds) && seconds is > 0 and < 253_402_300_799:
                expiresAt = seconds * 1_000_000;
                break;
            case { ValueKind: JsonValueKind.String } text when Fields.TextOf(text) is { } words && Wire.TryParseSpan(words, out span):
                expiresAt = now + Wire.Microseconds(span);
                break;
            case { ValueKind: JsonValueKind.String } text when Fields.TextOf(text) is { } words && Wire.TryParseInstant(words, out var instant):
                expiresAt = instant;
                break;
            default:
                return (0, Refusal.BadRequest("Invalid expiration time") with { ShouldRetry = false });
        }
        if (expiresAt <= now) return (0, Refusal.BadRequest("Expiration time must be in the future") with { ShouldRetry = false });
        return expiresAt - now > Wire.Microseconds(Tokens.MaxLife)
            ? (0, Refusal.BadRequest("Expiration time cannot exceed 30 days") with { ShouldRetry = false })
            : (expiresAt, null);
    }

    private async ValueTask<bool> NamesProjectAsync(string? reference, string project) =>
        reference is not null && (reference == project || await projects.FindAsync(reference) is { } found && found.Id == project);
}

internal sealed record ClaimsView(string Sub, bool Pub);

internal sealed record MintJwt(MintClaims? Claims, string? ExpirationTime);

internal sealed record MintClaims(IReadOnlyList<string>? Scopes);

internal sealed record MintPublicToken(IReadOnlyList<string> Scopes, string? ExpirationTime, bool? OneTimeUse);

internal sealed record TokenView(string Token);

internal sealed record RevokeTokens(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Token, string? Jti, string? Subject, string? IssuedBefore);

internal sealed record RevokedView(bool Revoked);
