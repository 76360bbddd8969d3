using Postern.Http;

namespace Postern.Sessions;

/// <summary>
/// What a list of sessions is narrowed to; empty lists and nulls narrow nothing. Times are microseconds.
/// </summary>
internal sealed record SessionFilter(
    IReadOnlyList<string> Types,
    IReadOnlyList<string> Tags,
    IReadOnlyList<string> Agents,
    IReadOnlyList<string> ExternalIds,
    IReadOnlyList<string> Statuses,
    long? From,
    long? To,
    Cursor? After,
    Cursor? Before,
    bool WithInternal = false
)
{
    /// <summary>Stands in the name, in a tag or in why it was closed.</summary>
    public string? Text { get; init; }
}
