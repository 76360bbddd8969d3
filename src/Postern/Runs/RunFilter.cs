using Postern.Http;

namespace Postern.Runs;

/// <summary>The conditions of a list of runs. Empty lists and nulls are none. Times are microseconds.</summary>
internal sealed record RunFilter
{
    public IReadOnlyList<string> Statuses { get; init; } = [];

    public IReadOnlyList<string> Phases { get; init; } = [];

    public IReadOnlyList<string> Agents { get; init; } = [];

    public IReadOnlyList<string> Sessions { get; init; } = [];

    public IReadOnlyList<string> Triggers { get; init; } = [];

    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Runs that failed with one of these.</summary>
    public IReadOnlyList<string> FailureCodes { get; init; } = [];

    /// <summary>Stands in the sentence that says why a run ended or waits.</summary>
    public string? Reason { get; init; }

    /// <summary>Stands in that sentence, in the failure's message or in a tag.</summary>
    public string? Text { get; init; }

    /// <summary>True when each row is looked into, which no index does.</summary>
    public bool IsOfText => Reason is not null || Text is not null;

    /// <summary>Made at this time or later.</summary>
    public long? From { get; init; }

    /// <summary>Made at this time or before.</summary>
    public long? To { get; init; }

    /// <summary>Runs that come behind this one in the list.</summary>
    public Cursor? After { get; init; }

    /// <summary>
    /// The condition on a row of <c>run</c> without which the caller does not see it; null for one who sees all. It is
    /// required, so that no list forgets it.
    /// </summary>
    public required string? IsShown { get; init; }
}
