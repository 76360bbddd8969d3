using Postern.Storage;

namespace Postern.Access;

/// <summary>A stored session of the console. Times are microseconds.</summary>
internal sealed record ConsoleSession
{
    public const string Prefix = "csn";

    [Column("project")]
    public required string Project { get; init; }

    [Column("id")]
    public required string Id { get; init; }

    /// <summary>The id of the key, or the person's name with its prefix: see <see cref="ConsolePerson"/>.</summary>
    [Column("credential")]
    public required string Credential { get; init; }

    /// <summary>The digest of the key's secret that was presented; null without a key.</summary>
    [Column("secret")]
    public byte[]? Secret { get; init; }

    /// <summary>The roles of a person whom an identity provider named; null for everybody else.</summary>
    public IReadOnlyList<string>? Roles { get; init; }

    [Column("roles")]
    public string? RoleList
    {
        get => Roles is null ? null : string.Join('\n', Roles);
        init => Roles = value?.Split('\n');
    }

    [Column("address")]
    public required string Address { get; init; }

    /// <summary>The browser's description of itself, at most 200 characters.</summary>
    [Column("browser")]
    public required string Browser { get; init; }

    [Column("created_at")]
    public required long CreatedAt { get; init; }

    /// <summary>The time of its last request, to the minute.</summary>
    [Column("seen_at")]
    public required long SeenAt { get; init; }

    /// <summary>Its end, however much it is used.</summary>
    [Column("until")]
    public required long Until { get; init; }

    [Column("ended_at")]
    public long? EndedAt { get; init; }

    [Column("ended_reason")]
    public string? EndedReason { get; init; }

    public bool IsOfProxy => Credential.StartsWith(ConsolePerson.OfProxy, StringComparison.Ordinal);

    /// <summary>The person's name; null for a key.</summary>
    public string? Person =>
        IsOfProxy ? Credential[ConsolePerson.OfProxy.Length..]
        : Credential.StartsWith(ConsolePerson.OfOidc, StringComparison.Ordinal)
            ? Credential[ConsolePerson.OfOidc.Length..]
        : null;
}
