using Postern.Http;

namespace Postern.Runs;

/// <summary>
/// The conditions of a list of runs. An empty list or a null is no condition. Times are microseconds.
/// </summary>
internal sealed record RunFilter
{
    public IReadOnlyList<string> Ids { get; init; } = [];

    public IReadOnlyList<string> Statuses { get; init; } = [];

    public IReadOnlyList<string> Phases { get; init; } = [];

    public IReadOnlyList<string> Agents { get; init; } = [];

    public IReadOnlyList<string> Sessions { get; init; } = [];

    public IReadOnlyList<string> Triggers { get; init; } = [];

    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Only runs with one of these failure codes.</summary>
    public IReadOnlyList<string> FailureCodes { get; init; } = [];

    /// <summary>A text in the reason why a run ended or waits.</summary>
    public string? Reason { get; init; }

    /// <summary>A text in that reason, in the failure's message or in a tag.</summary>
    public string? Text { get; init; }

    /// <summary>Whether each row must be searched, because no index helps.</summary>
    public bool IsOfText => Reason is not null || Text is not null;

    /// <summary>Created at this time or later.</summary>
    public long? From { get; init; }

    /// <summary>Created at this time or before.</summary>
    public long? To { get; init; }

    /// <summary>Only runs behind this one in the list.</summary>
    public Cursor? After { get; init; }

    /// <summary>
    /// The condition on a row of <c>run</c> under which the caller may see it; null for a caller that may see all. It
    /// is required, so that no list forgets it.
    /// </summary>
    public required string? IsShown { get; init; }
}
