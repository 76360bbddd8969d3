namespace Postern.Access;

/// <summary>A key's row. Secrets in it are digests and sealed values only.</summary>
internal sealed record KeyRow(
    string Project,
    string Id,
    string Kind,
    string Name,
    IReadOnlyList<string> Scopes,
    byte[] Salt,
    byte[] Digest,
    byte[]? Sealed,
    byte[]? PreviousSalt,
    byte[]? PreviousDigest,
    byte[]? PreviousSealed,
    long? PreviousUntil,
    string CreatedBy,
    long CreatedAt,
    long? ExpiresAt,
    long? LastUsedAt,
    long? RevokedAt,
    long Changed
);
