using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// The routes for minting and ending tokens. Their texts are those that existing client libraries know.
/// </summary>
internal sealed class TokenRoutes(
    Tokens tokens,
    KeyAdmin admin,
    Projects projects,
    Database database,
    ErrorFormat family
)
{
    private const int MaxBody = 64 * 1024;
    private static readonly string[] Environments = ["dev", "staging", "prod", "preview"];

    public void Map(Doors doors)
    {
        var auth = doors.Group("/api/v1/auth", family);
        auth.Post("/jwt/claims", Credentials.Key, "any key", ReadClaims)
            .WithSummary("The claims that a client signs by itself with the root key")
            .Produces<ClaimsView>()
            .Produces(401);
        auth.Post("/jwt", Credentials.Key, "scopes within the key's", MintJwt)
            .WithSummary("Mint a token")
            .MayTake<MintJwt>()
            .Produces<TokenView>()
            .Produces(400, 401, 403);
        auth.Post("/public-tokens", Credentials.Key, "scopes within the key's", MintPublic)
            .WithSummary("Mint a public token")
            .MayTake<MintPublicToken>()
            .Produces<TokenView>()
            .Produces(400, 401, 403);
        auth.Post("/revoke", Credentials.Key, Authorization.Admin, Revoke)
            .WithSummary("End a token, or all tokens of a subject, before their time")
            .Accepts<RevokeTokens>()
            .Produces<RevokedView>()
            .Produces(400, 401, 403);

        var people = doors.Group("/api/v1/projects/{ref}/{env}", family);
        people
            .Post("/jwt", Credentials.PersonalKey, "scopes clamped to the key's", MintForPerson)
            .WithSummary("Mint a token for a person's command-line client")
            .MayTake<MintJwt>()
            .Produces<TokenView>()
            .Produces(400, 401, 404);
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
        if (!(await ReadBodyAsync(http)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<MintJwt>();
        return fields.Faults.Count > 0
            ? InvalidBody
            : await MintAsync(caller, asked.Claims?.Scopes ?? [], EndOf(asked.ExpirationTime, "1h"));
    }

    private async Task<IResult> MintPublic(HttpContext http, ProjectCaller caller)
    {
        caller.DecidedByHandler();
        if (!(await ReadBodyAsync(http)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<MintPublicToken>();
        return fields.Faults.Count > 0 || asked.Scopes.Count == 0
            ? InvalidBody
            : await MintAsync(caller, asked.Scopes, EndOf(asked.ExpirationTime, "15m"), oneTime: asked.OneTimeUse);
    }

    private async Task<IResult> MintForPerson(HttpContext http, ProjectCaller caller)
    {
        caller.DecidedByHandler();
        if (
            !Environments.Contains(RequestPath.Segment(http, 4), StringComparer.Ordinal)
            || !await NamesProjectAsync(RequestPath.Segment(http, 3), caller.Project)
        )
            return new Refusal(404, "Project not found") { ShouldRetry = false };
        if (!(await ReadBodyAsync(http)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<MintJwt>();
        if (fields.Faults.Count > 0)
            return InvalidBody;
        // Scopes are narrowed, not refused, because the client asks for everything that it might need.
        var scopes = (asked.Claims?.Scopes ?? [])
            .Where(text => Scope.TryParse(text, out var scope) && Minting.WhyNot(caller, scope) is null)
            .ToList();
        return await MintAsync(caller, scopes, EndOf(asked.ExpirationTime, "1h"), person: caller.Authority.Actor);
    }

    private async Task<IResult> Revoke(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<RevokeTokens>();
        if (new[] { asked.Token, asked.Jti, asked.Subject }.Count(t => t is not null) != 1)
            fields.Fault("token, jti, subject", "name exactly one");
        if (asked is { Subject: not null, IssuedBefore: null })
            fields.Fault("issuedBefore", "is required with subject");
        if (fields.Refusal() is { } wrong)
            return wrong;
        if (RulesOf(asked, caller.Project, database.Now) is not { } rules)
            return Refusal.BadRequest("token is not a token: three parts of base64url without padding", "invalid_body");
        await admin.RevokeTokensAsync(rules, caller.Authority.LoggedActor, caller);
        return Reply.Ok(new RevokedView(true));
    }

    /// <summary>
    /// Returns the revoked token with the time until which it could live, or null when the text is no token.
    /// </summary>
    private static List<RevocationRow>? RulesOf(RevokeTokens asked, string project, long now)
    {
        var life = Wire.Microseconds(Tokens.MaxLife);
        var until = now + life + Tokens.ClockSkew;
        if (asked is { Subject: { } subject, IssuedBefore: { } before })
            return [new RevocationRow(project, "subject", subject, before, Math.Max(until, before + life), 0)];
        if (asked.Jti is { } jti)
            return [new RevocationRow(project, "jti", jti, null, until, 0)];
        if (Tokens.NamesOf(asked.Token!, now) is not { } known)
            return null;
        var itself = new RevocationRow(project, "token", known.Digest, null, until, 0);
        // Tokens that are derived from this one name it by its jti, if it has one.
        return known.Jti is null ? [itself] : [itself, new RevocationRow(project, "jti", known.Jti, null, until, 0)];
    }

    private async Task<IResult> MintAsync(
        ProjectCaller caller,
        IReadOnlyList<string> scopes,
        Checked<long> expiration,
        bool oneTime = false,
        string? person = null
    )
    {
        if (!expiration.Try(out var expiresAt, out var wrong))
            return wrong;
        if (ScopeSet.FirstMalformed(scopes) is { } malformed)
            return Refusal.BadRequest($"Invalid scope: {malformed}") with { ShouldRetry = false };
        if (Minting.Refuse(caller, scopes) is { } refused)
            return refused;
        if (
            await tokens.DeriveAsync(caller.Authority, caller.Project, scopes, expiresAt, oneTime, person)
            is not { } token
        )
            throw new InvalidOperationException("A key mints tokens.");
        await admin.MintedAsync(
            caller.Project,
            scopes,
            Math.Min(expiresAt, caller.Authority.ExpiresAt ?? long.MaxValue),
            caller
        );
        return Reply.Ok(new TokenView(token));
    }

    private static async ValueTask<Checked<Fields>> ReadBodyAsync(HttpContext http)
    {
        var read = await Fields.ReadAsync(http, MaxBody, emptyObject: true);
        return !read.Try(out _, out var refusal) && refusal.Status == 400 ? InvalidBody : read;
    }

    private static Refusal InvalidBody => Refusal.BadRequest("Invalid request body") with { ShouldRetry = false };

    /// <summary>
    /// Reads the end of the token, in microseconds, from a span (<c>15m</c>), a number of Unix seconds, or an ISO date.
    /// </summary>
    private Checked<long> EndOf(JsonElement? asked, string standard)
    {
        var now = database.Now;
        long expiresAt;
        switch (asked)
        {
            case null:
                return Wire.TryParseSpan(standard, out var span)
                    ? now + Wire.Microseconds(span)
                    : throw new ArgumentException("A default is a span.", nameof(standard));
            case { ValueKind: JsonValueKind.Number } number
                when number.TryGetInt64(out var seconds) && seconds is > 0 and < 253_402_300_799:
                expiresAt = seconds * 1_000_000;
                break;
            case { ValueKind: JsonValueKind.String } text
                when JsonText.Of(text) is { } words && Wire.TryParseSpan(words, out span):
                expiresAt = now + Wire.Microseconds(span);
                break;
            case { ValueKind: JsonValueKind.String } text
                when JsonText.Of(text) is { } words && Wire.TryParseInstant(words, out var instant):
                expiresAt = instant;
                break;
            default:
                return Refusal.BadRequest("Invalid expiration time") with { ShouldRetry = false };
        }
        if (expiresAt <= now)
            return Refusal.BadRequest("Expiration time must be in the future") with { ShouldRetry = false };
        return expiresAt - now > Wire.Microseconds(Tokens.MaxLife)
            ? Refusal.BadRequest("Expiration time cannot exceed 30 days") with
            {
                ShouldRetry = false,
            }
            : expiresAt;
    }

    private async ValueTask<bool> NamesProjectAsync(string? reference, string project) =>
        reference is not null
        && (reference == project || await projects.FindAsync(reference) is { } found && found.Id == project);
}
