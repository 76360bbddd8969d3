namespace Postern.Access;

/// <summary>The conditions of a list of audit rows. A null member is no condition.</summary>
internal sealed record AuditFilter
{
    public string? Action { get; init; }

    public string? Credential { get; init; }

    public string? Actor { get; init; }

    /// <summary>Method and pattern, as in the door table.</summary>
    public string? Route { get; init; }

    public string? Reason { get; init; }

    public string? Address { get; init; }

    /// <summary>A trigger by its name, <c>user/{owner}/{id}</c>.</summary>
    public string? Trigger { get; init; }

    /// <summary>The trigger by its own id.</summary>
    public string? TriggerUid { get; init; }

    /// <summary>Only these actions; empty: all.</summary>
    public IReadOnlyList<string> Actions { get; init; } = [];

    /// <summary>From this instant on, microseconds.</summary>
    public long? From { get; init; }

    /// <summary>Before this instant, microseconds.</summary>
    public long? To { get; init; }
}
