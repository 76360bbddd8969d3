namespace Postern.Access;

/// <summary>One session of the console, as it is kept. Times are microseconds.</summary>
internal sealed record ConsoleSession
{
    public const string Prefix = "csn";

    public required string Project { get; init; }

    public required string Id { get; init; }

    /// <summary>The id of the key, or the person's name with its prefix: see <see cref="ConsolePerson"/>.</summary>
    public required string Credential { get; init; }

    /// <summary>The digest of the key's secret that was presented; null without a key.</summary>
    public byte[]? Secret { get; init; }

    /// <summary>The roles of a person whom an identity provider named; null for everybody else.</summary>
    public IReadOnlyList<string>? Roles { get; init; }

    public required string Address { get; init; }

    /// <summary>What the browser called itself, at most 200 characters.</summary>
    public required string Browser { get; init; }

    public required long CreatedAt { get; init; }

    /// <summary>Of its last request, to the minute.</summary>
    public required long SeenAt { get; init; }

    /// <summary>When it ends however much it is used.</summary>
    public required long Until { get; init; }

    public long? EndedAt { get; init; }

    public string? EndedReason { get; init; }

    public bool IsOfProxy => Credential.StartsWith(ConsolePerson.OfProxy, StringComparison.Ordinal);

    /// <summary>The person's name; null for a key.</summary>
    public string? Person =>
        IsOfProxy ? Credential[ConsolePerson.OfProxy.Length..]
        : Credential.StartsWith(ConsolePerson.OfOidc, StringComparison.Ordinal)
            ? Credential[ConsolePerson.OfOidc.Length..]
        : null;
}
