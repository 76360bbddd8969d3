namespace Postern.Pages;

/// <summary>A confirmation before an action that cannot be undone.</summary>
internal sealed record ConfirmModel
{
    /// <summary>The action, such as <c>Cancel a run</c>.</summary>
    public required string Title { get; init; }

    /// <summary>The thing, the number, and the consequences.</summary>
    public required string Text { get; init; }

    /// <summary>The address of the form.</summary>
    public required string Action { get; init; }

    public required string Button { get; init; }

    /// <summary>The address to leave to without a change.</summary>
    public required string Back { get; init; }

    /// <summary>The item of the menu.</summary>
    public required string Section { get; init; }

    /// <summary>The name of a field for a reason; null when there is none.</summary>
    public string? ReasonField { get; init; }

    public IReadOnlyList<(string Name, string Value)> Hidden { get; init; } = [];

    public string? Curl { get; init; }
}
