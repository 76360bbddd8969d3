using Postern.Http;

namespace Postern.Access;

/// <summary>
/// A token that verified: the authority behind its requests and streams. It follows the key that minted it (ended with
/// it, narrowed with it), and ends with each token that it descends from.
/// </summary>
/// <param name="claims">What it says.</param>
/// <param name="root">The key that signed it.</param>
/// <param name="signedBy">The digest of the secret that signed it.</param>
/// <param name="minter">The key that minted it; the root key for one that a client signed by itself.</param>
/// <param name="mintedBy">The digest of the secret that minted it.</param>
/// <param name="digest">SHA-256 of the token, hex.</param>
/// <param name="revocations">What has been ended before its time.</param>
internal sealed class TokenGrant(
    TokenClaims claims,
    KeyEntry root,
    byte[] signedBy,
    KeyEntry minter,
    byte[] mintedBy,
    string digest,
    Revocations revocations
) : Authority
{
    /// <summary>
    /// How many tokens may stand in a line. A new one lives no longer than the one before it, so nothing is lost at its
    /// end.
    /// </summary>
    private const int LongestLine = 8;
    private readonly ScopeSet _own = ScopeSet.Parse(claims.Scopes);

    public TokenClaims Claims => claims;

    /// <summary>
    /// How a single token is revoked, used up or counted without keeping it. A token has one spelling, so it has one
    /// digest.
    /// </summary>
    public string Digest => digest;

    public override string Credential => "token";

    public override string Actor => claims.Subject;

    public override UnfitCredential OnceEnded => UnfitCredential.EndedToken;

    public override long? ExpiresAt => claims.ExpiresAt;

    public override KeyEntry Key => minter;

    public override string? Person => claims.Client == "personal-access-token" ? claims.Subject : null;

    public override string Name => claims.Ancestors.Count > 0 ? claims.Ancestors[0] : claims.Jti ?? digest;

    public override bool SpeaksAsUser => true;

    public override string Bucket => "token " + digest;

    /// <summary>Its own, as far as the key that minted it still has them.</summary>
    public override ScopeSet Scopes => _own.Intersect(minter.Scopes);

    public override Lineage? Lineage =>
        claims.OneTime || claims.Ancestors.Count >= LongestLine
            ? null
            : new Lineage(
                minter,
                KnowsItsSecret ? mintedBy : null,
                [.. claims.Ancestors, claims.Jti ?? digest],
                claims.Since ?? claims.IssuedAt,
                claims.Subject == claims.Project ? null : claims.Subject,
                claims.Client
            );

    /// <summary>
    /// A seal tells which secret of the key minted it; a token that a client signed itself was made with the secret
    /// that signed it. What names a key and has no seal, as version 0.3.0 wrote it, does not say.
    /// </summary>
    private bool KnowsItsSecret => claims.Seal is not null || claims.Key is null;

    /// <summary>
    /// Asked of the token and of its key, each by itself: they may name one thing by its two names. What only a name
    /// gives, only a key that has it by name gives on; what must be written down stands in the token.
    /// </summary>
    public override bool Allows(RequiredScope need) =>
        _own.Allows(need) && Passes(need.How) && minter.Scopes.Allows(need with { How = OfTheKey(need.How) });

    public override bool AllowsSome(string action, string type, Given how = Given.Anyhow) =>
        _own.AllowsSome(action, type, how) && Passes(how) && minter.Scopes.AllowsSome(action, type, OfTheKey(how));

    private bool Passes(Given how) => how != Given.ByName || claims.Seal is not null;

    private static Given OfTheKey(Given how) => how == Given.ByName ? Given.ByName : Given.Anyhow;

    public override string? WhyEnded(long now)
    {
        if (claims.ExpiresAt + Tokens.ClockSkew <= now)
            return StreamEnd.Expired;
        if (!root.StillSigns(signedBy, now) || !minter.StillSigns(mintedBy, now) || IsOfAnOldSecret(now))
            return StreamEnd.Revoked;
        return minter.WhyEnded(now) ?? (revocations.Ends(claims, digest) ? StreamEnd.Revoked : null);
    }

    /// <summary>
    /// A token without a seal does not say which secret of its key minted it: what is older than the last rotation ends
    /// with its overlap.
    /// </summary>
    private bool IsOfAnOldSecret(long now) =>
        !KnowsItsSecret
        && minter.Row.PreviousUntil is { } until
        && until <= now
        && Math.Min(claims.IssuedAt, claims.Since ?? long.MaxValue) < until;
}
