using Postern.Http;

namespace Postern.Sessions;

/// <summary>
/// The conditions of a list of sessions. Empty lists and nulls are none. Times are microseconds.
/// </summary>
internal sealed record SessionFilter
{
    public IReadOnlyList<string> Types { get; init; } = [];

    public IReadOnlyList<string> Tags { get; init; } = [];

    public IReadOnlyList<string> Agents { get; init; } = [];

    public IReadOnlyList<string> ExternalIds { get; init; } = [];

    public IReadOnlyList<string> Statuses { get; init; } = [];

    /// <summary>Made at this time or later.</summary>
    public long? From { get; init; }

    /// <summary>Made at this time or before.</summary>
    public long? To { get; init; }

    /// <summary>Sessions that come behind this one in the list.</summary>
    public Cursor? After { get; init; }

    /// <summary>Sessions that come before this one in the list.</summary>
    public Cursor? Before { get; init; }

    /// <summary>Also those that the platform keeps for itself.</summary>
    public bool WithInternal { get; init; }

    /// <summary>Stands in the name, in a tag or in why it was closed.</summary>
    public string? Text { get; init; }
}
