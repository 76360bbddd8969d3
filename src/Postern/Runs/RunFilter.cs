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
}
