using Postern.Http;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>One trigger with its captures.</summary>
internal sealed record TriggerModel
{
    public required Trigger Trigger { get; init; }

    /// <summary>Its whole public URL.</summary>
    public required string Url { get; init; }

    /// <summary>A page of its captures, newest first.</summary>
    public required IReadOnlyList<Capture> Captures { get; init; }

    /// <summary>The number of captures that were searched for a text; null without a search.</summary>
    public required int? Looked { get; init; }

    /// <summary>Why those that have not ended have not, by id.</summary>
    public required IReadOnlyDictionary<string, Why> Whys { get; init; }

    public required PageFilters Filters { get; init; }

    /// <summary>The refusals of its URL in the last 24 hours, by reason, the newest first.</summary>
    public required IReadOnlyList<TurnedAway> Refused { get; init; }

    /// <summary>Whether there were more than could be read.</summary>
    public required bool HasMoreRefused { get; init; }

    /// <summary>The answers to a test that was just sent; empty without one.</summary>
    public required IReadOnlyList<int> Sent { get; init; }

    /// <summary>The captures of that test.</summary>
    public required Capture? SentCapture { get; init; }

    /// <summary>The cursor of the next page; null at the end.</summary>
    public required string? Next { get; init; }
}
