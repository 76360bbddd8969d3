using Postern.Http;

namespace Postern.Access;

/// <summary>
/// The authority of a verified token. It follows the key that minted it (ended with it, narrowed with it), and ends
/// with each token that it is derived from.
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
    /// The most tokens in a line. A new token lives no longer than the one before it, so nothing is lost by this limit.
    /// </summary>
    private const int LongestLine = 8;
    private readonly ScopeSet _own = ScopeSet.Parse(claims.Scopes);

    public TokenClaims Claims => claims;

    /// <summary>
    /// The digest by which a single token is revoked, used up or counted without storing it. A token has only one
    /// spelling, so it has only one digest.
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

    /// <summary>Its own scopes, as far as the key that minted it still has them.</summary>
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
    /// A seal shows which secret of the key minted the token. A token without a seal that a client signed itself was
    /// made with the secret that signed it. A token of version 0.3.0 names a key and has no seal, so its secret is not
    /// known.
    /// </summary>
    private bool KnowsItsSecret => claims.Seal is not null || claims.Key is null;

    /// <summary>
    /// The token and its key are asked separately, because they may name one thing by its two names. A right that must
    /// be given by name must be in the key by name. A right that must be given explicitly must be in the token.
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
    /// The secret that minted a token without a seal is not known. Such a token that is older than the key's last
    /// rotation ends with the overlap.
    /// </summary>
    private bool IsOfAnOldSecret(long now) =>
        !KnowsItsSecret
        && minter.Row.PreviousUntil is { } until
        && until <= now
        && Math.Min(claims.IssuedAt, claims.Since ?? long.MaxValue) < until;
}
