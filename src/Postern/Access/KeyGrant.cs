namespace Postern.Access;

/// <summary>A key, by one of its secrets: a rotation without an overlap ends what came in with the old one.</summary>
/// <param name="entry">The key, alive.</param>
/// <param name="secret">The digest of the secret that was presented.</param>
internal sealed class KeyGrant(KeyEntry entry, byte[] secret) : Authority
{
    public override string Credential => "key";

    public override string Actor => entry.Row.Id;

    public override string LoggedActor => entry.Row.Id;

    public override ScopeSet Scopes => entry.Scopes;

    /// <summary>The key's own end; of a secret that was rotated away, no later than the overlap's.</summary>
    public override long? ExpiresAt => entry.ExpiryOf(secret);

    public override KeyEntry Key => entry;

    /// <summary>The digest of the secret that was presented.</summary>
    public byte[] Secret => secret;

    public override KeyGrant Grant => this;

    public override Mandate Mandate => new(Credential, LoggedActor) { KeyId = entry.Row.Id, Secret = secret };

    public override Lineage Lineage => new(entry, secret, [], null);

    /// <summary>The same secret of the key, as a transaction reads its row.</summary>
    public KeyGrant As(KeyEntry read) => new(read, secret);

    public override string? WhyEnded(long now) =>
        entry.WhyEnded(now) ?? (entry.StillSigns(secret, now) ? null : StreamEnd.Revoked);
}
