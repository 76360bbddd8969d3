namespace Postern.Access;

/// <summary>One session of the console, as it is kept. Times are microseconds.</summary>
internal sealed record ConsoleSession
{
    public const string Prefix = "csn";

    public required string Project { get; init; }

    public required string Id { get; init; }

    /// <summary>The id of the key, or the identity that a proxy vouches for.</summary>
    public required string Credential { get; init; }

    /// <summary>The digest of the key's secret that was presented; null when a proxy vouches for the person.</summary>
    public byte[]? Secret { get; init; }

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

    public bool IsOfProxy => Secret is null;
}
