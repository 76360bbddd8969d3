namespace Postern.Access;

/// <summary>Which rows of the audit: null narrows nothing.</summary>
internal sealed record AuditFilter
{
    public string? Action { get; init; }

    public string? Credential { get; init; }

    public string? Actor { get; init; }

    /// <summary>Method and pattern, as the door table has them.</summary>
    public string? Route { get; init; }

    public string? Reason { get; init; }

    public string? Address { get; init; }

    /// <summary>A trigger by its name, <c>user/{owner}/{id}</c>.</summary>
    public string? Trigger { get; init; }

    /// <summary>The same by its own id.</summary>
    public string? TriggerUid { get; init; }

    /// <summary>Of these actions alone; empty narrows nothing.</summary>
    public IReadOnlyList<string> Actions { get; init; } = [];

    /// <summary>From this instant on, microseconds.</summary>
    public long? From { get; init; }

    /// <summary>Before this instant, microseconds.</summary>
    public long? To { get; init; }
}
