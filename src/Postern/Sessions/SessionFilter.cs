using Postern.Http;

namespace Postern.Sessions;

/// <summary>
/// The conditions of a list of sessions. An empty list or a null is no condition. Times are microseconds.
/// </summary>
internal sealed record SessionFilter
{
    public IReadOnlyList<string> Ids { get; init; } = [];

    public IReadOnlyList<string> Types { get; init; } = [];

    public IReadOnlyList<string> Tags { get; init; } = [];

    public IReadOnlyList<string> Agents { get; init; } = [];

    public IReadOnlyList<string> ExternalIds { get; init; } = [];

    public IReadOnlyList<string> Statuses { get; init; } = [];

    /// <summary>Created at this time or later.</summary>
    public long? From { get; init; }

    /// <summary>Created at this time or before.</summary>
    public long? To { get; init; }

    /// <summary>Only sessions behind this one in the list.</summary>
    public Cursor? After { get; init; }

    /// <summary>Only sessions before this one in the list.</summary>
    public Cursor? Before { get; init; }

    /// <summary>Whether internal sessions are included.</summary>
    public bool WithInternal { get; init; }

    /// <summary>A text in the name, in a tag or in the reason of the close.</summary>
    public string? Text { get; init; }
}
