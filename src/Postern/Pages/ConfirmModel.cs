namespace Postern.Pages;

/// <summary>A question before something that cannot be undone.</summary>
internal sealed record ConfirmModel
{
    /// <summary>What would be done, such as <c>Cancel a run</c>.</summary>
    public required string Title { get; init; }

    /// <summary>The thing, the number, and what follows.</summary>
    public required string Text { get; init; }

    /// <summary>Where the form goes.</summary>
    public required string Action { get; init; }

    public required string Button { get; init; }

    /// <summary>Where nothing is changed.</summary>
    public required string Back { get; init; }

    /// <summary>The menu's item.</summary>
    public required string Section { get; init; }

    /// <summary>The name of a field for a reason; null when there is none.</summary>
    public string? ReasonField { get; init; }

    public IReadOnlyList<(string Name, string Value)> Hidden { get; init; } = [];

    public string? Curl { get; init; }
}
