using System.Text.Json;
using Postern.Storage;

namespace Postern.Access;

/// <summary>A stored key. Its secrets are digests or sealed values.</summary>
internal sealed record KeyRow
{
    [Column("project")]
    public required string Project { get; init; }

    [Column("id")]
    public required string Id { get; init; }

    [Column("kind")]
    public required string Kind { get; init; }

    [Column("name")]
    public required string Name { get; init; }

    public required IReadOnlyList<string> Scopes { get; init; }

    [Column("scopes")]
    public string ScopesJson
    {
        get => JsonSerializer.Serialize(Scopes);
        init => Scopes = JsonSerializer.Deserialize<string[]>(value) ?? [];
    }

    [Column("salt")]
    public required byte[] Salt { get; init; }

    [Column("digest")]
    public required byte[] Digest { get; init; }

    [Column("sealed")]
    public byte[]? Sealed { get; init; }

    [Column("previous_salt")]
    public byte[]? PreviousSalt { get; init; }

    [Column("previous_digest")]
    public byte[]? PreviousDigest { get; init; }

    [Column("previous_sealed")]
    public byte[]? PreviousSealed { get; init; }

    [Column("previous_until")]
    public long? PreviousUntil { get; init; }

    [Column("created_by")]
    public required string CreatedBy { get; init; }

    [Column("created_at")]
    public required long CreatedAt { get; init; }

    [Column("expires_at")]
    public long? ExpiresAt { get; init; }

    [Column("last_used_at")]
    public long? LastUsedAt { get; init; }

    [Column("revoked_at")]
    public long? RevokedAt { get; init; }

    [Column("changed")]
    public required long Changed { get; init; }
}
