using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// Mints and verifies tokens (JWT, only HS256). They are minted here, or by a client that holds the root key. The
/// library verifies the signature. Before that, everything else is refused that could deceive it: another algorithm, an
/// embedded key, a repeated claim, no expiry.
/// </summary>
internal sealed class Tokens(KeyRing keys, KeyStore store, Revocations revocations, MasterKey master, Database database)
{
    public const string Issuer = "postern";
    public const string Audience = "postern";

    /// <summary>The values that existing client libraries write when they sign by themselves.</summary>
    private const string ClientIssuer = "https://id.trigger.dev";
    private const string ClientAudience = "https://api.trigger.dev";
    private const int CacheSize = 20_000;

    /// <summary>Microseconds.</summary>
    public const long ClockSkew = 30_000_000;
    public static readonly TimeSpan MaxLife = TimeSpan.FromDays(30);
    private const string SealPurpose = "token seal";
    private static readonly JsonWebTokenHandler Handler = new() { SetDefaultTimesOnTokenCreation = false };
    private readonly ConcurrentDictionary<UInt128, TokenGrant> _verified = new();

    /// <summary>
    /// Returns the grant of a presented token, or why there is none. A verified token is cached; whatever can end it is
    /// checked every time.
    /// </summary>
    public async ValueTask<(TokenGrant? Grant, TokenFault Fault)> VerifyAsync(string token, long now)
    {
        if (token.Length > TokenReader.MaxLength || !Ascii.IsValid(token))
            return (null, TokenFault.Malformed);
        var hash = Hash(token);
        var cacheKey = new UInt128(BitConverter.ToUInt64(hash), BitConverter.ToUInt64(hash, 8));
        if (!_verified.TryGetValue(cacheKey, out var grant) || grant.Digest != Convert.ToHexStringLower(hash))
        {
            (grant, var fault) = await VerifyNewAsync(token, Convert.ToHexStringLower(hash), now);
            if (grant is null)
                return (null, fault);
            // A limit, not a policy: when it is reached, every token is verified again, once.
            if (_verified.Count >= CacheSize)
                _verified.Clear();
            _verified[cacheKey] = grant;
        }
        return grant.WhyEnded(now) switch
        {
            null => (grant, default),
            StreamEnd.Expired => (null, TokenFault.Expired),
            _ => (null, TokenFault.Revoked),
        };
    }

    /// <summary>
    /// Returns true only for the first use of a one-time token, on any node. Accepting it uses it up, whatever the
    /// request then does.
    /// </summary>
    public Task<bool> UseOnceAsync(TokenGrant grant) =>
        store.UseOnceAsync(grant.Claims.Project, grant.Digest, grant.Claims.ExpiresAt + ClockSkew);

    public static byte[] Hash(string token) => SHA256.HashData(Encoding.ASCII.GetBytes(token));

    /// <summary>
    /// Returns the digest and the <c>jti</c> of a token that is not verified, only to end it. Returns null when the
    /// text is no token.
    /// </summary>
    public static (string Digest, string? Jti)? NamesOf(string token, long now) =>
        Ascii.IsValid(token) && TokenReader.ReadClaims(token, now) is { } claims
            ? (Convert.ToHexStringLower(Hash(token)), claims.Jti)
            : null;

    /// <summary>
    /// Mints a token from another credential. It inherits every limit: it never lives longer, and ends with that
    /// credential and everything before it. The caller must check that its scopes are not wider. Returns null when
    /// nothing may be derived from the credential.
    /// </summary>
    /// <param name="parent">What it is derived from.</param>
    /// <param name="project">The parent's project.</param>
    /// <param name="scopes">Within the parent's.</param>
    /// <param name="expiresAt">Microseconds; the parent's own end comes before it.</param>
    /// <param name="oneTime">It is used up by its first use.</param>
    /// <param name="person">
    /// The person that a command-line client holds it for; null: whoever the parent is held for.</param>
    public async ValueTask<string?> DeriveAsync(
        Authority parent,
        string project,
        IReadOnlyList<string> scopes,
        long expiresAt,
        bool oneTime = false,
        string? person = null
    )
    {
        if (parent.Lineage is not { } line)
            return null;
        var claims = new TokenClaims
        {
            Project = project,
            Subject = person ?? line.Person ?? project,
            Client = person is null ? line.Client : "personal-access-token",
            Scopes = scopes,
            ExpiresAt = Math.Min(expiresAt, parent.ExpiresAt ?? long.MaxValue),
            OneTime = oneTime,
            Key = line.Key.Row.Id,
            Ancestors = line.Tokens,
            Since = line.Since,
        };
        return await SignAsync(claims, line.KeySecret);
    }

    /// <summary>Mints a token of the project's root key, for the command line.</summary>
    public async ValueTask<string> MintAsync(string project, IReadOnlyList<string> scopes, long expiresAt)
    {
        var root =
            await keys.RootAsync(project)
            ?? throw new InvalidOperationException("A project without a root key mints no tokens.");
        return (await DeriveAsync(new KeyGrant(root, root.Row.Digest), project, scopes, expiresAt))!;
    }

    /// <summary>Mints a token for the worker of a run's attempt.</summary>
    public ValueTask<string> MintForWorkerAsync(
        string project,
        Worker worker,
        IReadOnlyList<string> scopes,
        long expiresAt
    ) =>
        SignAsync(
            new TokenClaims
            {
                Project = project,
                Subject = project,
                Scopes = scopes,
                ExpiresAt = expiresAt,
                Worker = worker,
            },
            null
        );

    private async ValueTask<string> SignAsync(TokenClaims asked, byte[]? keySecret)
    {
        var root =
            await keys.RootAsync(asked.Project)
            ?? throw new InvalidOperationException("A project without a root key mints no tokens.");
        var now = database.Now;
        // Whole seconds, as in the token, so that the sealed values are equal to those that are read later.
        var claims = asked with
        {
            Jti = Id.New("tok", database.Now),
            IssuedAt = now / TokenReader.Second * TokenReader.Second,
            ExpiresAt = asked.ExpiresAt / TokenReader.Second * TokenReader.Second,
            Since = asked.Since / TokenReader.Second * TokenReader.Second,
        };
        var payload = PayloadOf(claims);
        if (claims.Key is not null && keySecret is not null)
            payload["seal"] = SealOf(claims, keySecret);
        return Handler.CreateToken(
            new SecurityTokenDescriptor
            {
                Issuer = Issuer,
                Audience = Audience,
                Claims = payload,
                SigningCredentials = new SigningCredentials(root.SigningKey(now), SecurityAlgorithms.HmacSha256),
            }
        );
    }

    private static Dictionary<string, object> PayloadOf(TokenClaims claims)
    {
        var payload = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["sub"] = claims.Project,
            ["pub"] = true,
            ["scopes"] = claims.Scopes,
            ["iat"] = claims.IssuedAt / TokenReader.Second,
            ["exp"] = claims.ExpiresAt / TokenReader.Second,
            ["jti"] = claims.Jti!,
        };
        if (claims.OneTime)
            payload["otu"] = true;
        if (claims.Subject != claims.Project)
            payload["act"] = new Dictionary<string, object>(StringComparer.Ordinal)
            {
                ["sub"] = claims.Subject,
                ["client"] = claims.Client ?? "",
            };
        if (claims.Worker is { } worker)
            payload["run"] = new Dictionary<string, object>(StringComparer.Ordinal)
            {
                ["id"] = worker.Run,
                ["session"] = worker.Session ?? "",
                ["attempt"] = worker.Attempt,
            };
        if (claims.Ancestors.Count > 0)
            payload["line"] = claims.Ancestors;
        if (claims.Since is { } since)
            payload["since"] = since / TokenReader.Second;
        if (claims.Key is not null)
            payload["key"] = claims.Key;
        return payload;
    }

    private string SealOf(TokenClaims claims, byte[] keySecret) =>
        Base64Url.EncodeToString(
            master.DigestOf(Convert.ToHexString(keySecret) + "\n" + claims.SealedText, SealPurpose)
        );

    private async ValueTask<(TokenGrant?, TokenFault)> VerifyNewAsync(string token, string digest, long now)
    {
        if (TokenReader.ReadClaims(token, now) is not { } claims)
            return (null, TokenFault.Malformed);
        if (await keys.RootAsync(claims.Project) is not { } root)
            return (null, TokenFault.WrongProject);
        foreach (var signing in root.SigningKeys(now))
        {
            var result = await Handler.ValidateTokenAsync(
                token,
                new TokenValidationParameters
                {
                    ValidAlgorithms = [SecurityAlgorithms.HmacSha256],
                    IssuerSigningKey = signing.Key,
                    ValidIssuers = [Issuer, ClientIssuer],
                    ValidAudiences = [Audience, ClientAudience],
                    // The lifetime is checked against this server's clock, above and on every use.
                    ValidateLifetime = false,
                }
            );
            if (result.IsValid)
                return await GrantAsync(claims, root, signing.Digest, digest);
        }
        return (null, TokenFault.BadSignature);
    }

    /// <summary>Returns the grant of a token with a right signature, with the key behind it.</summary>
    private async ValueTask<(TokenGrant?, TokenFault)> GrantAsync(
        TokenClaims claims,
        KeyEntry root,
        byte[] signedBy,
        string digest
    )
    {
        // A client signed it itself: it belongs to the root key.
        if (claims.Key is null)
            return (
                new TokenGrant(claims with { Seal = null }, root, signedBy, root, signedBy, digest, revocations),
                default
            );
        if (await keys.FindAsync(claims.Project, claims.Key) is not { } minter)
            return (null, TokenFault.Revoked);
        var row = minter.Row;
        // Minted before tokens had seals: it follows its key, and contains no right that must be given by name.
        if (claims.Seal is null)
            return (new TokenGrant(claims, root, signedBy, minter, row.Digest, digest, revocations), default);
        foreach (var secret in (byte[]?[])[row.Digest, row.PreviousDigest])
        {
            if (
                secret is null
                || !CryptographicOperations.FixedTimeEquals(
                    Encoding.ASCII.GetBytes(SealOf(claims, secret)),
                    Encoding.ASCII.GetBytes(claims.Seal)
                )
            )
                continue;
            return (new TokenGrant(claims, root, signedBy, minter, secret, digest, revocations), default);
        }
        // The secret that made it was rotated away, or it was not minted here.
        return (null, TokenFault.Revoked);
    }
}
