using Postern.Bulk;

namespace Postern.Pages;

/// <summary>The question before something is done to many things: how many, and which are the first.</summary>
internal sealed record BulkAskModel
{
    public required BulkAsk Ask { get; init; }

    public required BulkFound Found { get; init; }

    /// <summary>The trigger that is paused in the same step, as scopes name it; null: none.</summary>
    public string? Pauses { get; init; }
}
