using Postern.Http;

namespace Postern.Runs;

/// <summary>What a list of runs is narrowed to; empty lists do not narrow.</summary>
/// <param name="IsShown">
/// The condition on a row of <c>run</c> without which the caller does not see it; null for one who sees all.
/// </param>
internal sealed record RunFilter(
    IReadOnlyList<string> Statuses,
    IReadOnlyList<string> Phases,
    IReadOnlyList<string> Agents,
    IReadOnlyList<string> Sessions,
    IReadOnlyList<string> Triggers,
    IReadOnlyList<string> Tags,
    long? From,
    long? To,
    Cursor? After,
    string? IsShown
)
{
    /// <summary>Runs that failed with one of these.</summary>
    public IReadOnlyList<string> FailureCodes { get; init; } = [];

    /// <summary>Stands in the sentence that says why a run ended or waits.</summary>
    public string? Reason { get; init; }

    /// <summary>Stands in that sentence, in the failure's message or in a tag.</summary>
    public string? Text { get; init; }

    /// <summary>Whether each row is looked into, which no index does.</summary>
    public bool IsOfText => Reason is not null || Text is not null;
}
