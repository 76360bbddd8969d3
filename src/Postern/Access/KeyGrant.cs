namespace Postern.Access;

/// <summary>
/// A key, presented with one of its secrets. A rotation without an overlap ends everything that came with the old
/// secret.
/// </summary>
/// <param name="entry">The key, alive.</param>
/// <param name="secret">The digest of the secret that was presented.</param>
internal sealed class KeyGrant(KeyEntry entry, byte[] secret) : Authority
{
    public override string Credential => "key";

    public override string Actor => entry.Row.Id;

    public override string LoggedActor => entry.Row.Id;

    public override ScopeSet Scopes => entry.Scopes;

    /// <summary>The end of the key; for a rotated secret no later than the end of the overlap.</summary>
    public override long? ExpiresAt => entry.ExpiryOf(secret);

    public override KeyEntry Key => entry;

    /// <summary>The digest of the secret that was presented.</summary>
    public byte[] Secret => secret;

    public override KeyGrant Grant => this;

    public override Mandate Mandate => new(Credential, LoggedActor) { KeyId = entry.Row.Id, Secret = secret };

    public override Lineage Lineage => new(entry, secret, [], null);

    /// <summary>Returns the same grant from a row that a transaction has read.</summary>
    public KeyGrant As(KeyEntry read) => new(read, secret);

    public override string? WhyEnded(long now) =>
        entry.WhyEnded(now) ?? (entry.StillSigns(secret, now) ? null : StreamEnd.Revoked);
}
