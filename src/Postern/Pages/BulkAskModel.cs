using Postern.Bulk;

namespace Postern.Pages;

/// <summary>The confirmation before an action on many things: how many they are, and the first of them.</summary>
internal sealed record BulkAskModel
{
    public required BulkAsk Ask { get; init; }

    public required BulkFound Found { get; init; }

    /// <summary>The trigger that is paused in the same step, as scopes name it; null: none.</summary>
    public string? Pauses { get; init; }
}
