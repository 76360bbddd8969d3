using Postern.Http;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>One trigger with what it has captured.</summary>
internal sealed record TriggerModel
{
    public required Trigger Trigger { get; init; }

    /// <summary>Its public URL, whole.</summary>
    public required string Url { get; init; }

    /// <summary>A page of its captures, newest first.</summary>
    public required IReadOnlyList<Capture> Captures { get; init; }

    /// <summary>How many captures a text was sought in for this page; null where none was.</summary>
    public required int? Looked { get; init; }

    /// <summary>Why those that have not ended have not, by id.</summary>
    public required IReadOnlyDictionary<string, Why> Whys { get; init; }

    public required PageFilters Filters { get; init; }

    /// <summary>What its URL refused in the last 24 hours, by reason, the newest first.</summary>
    public required IReadOnlyList<TurnedAway> Refused { get; init; }

    /// <summary>There was more than could be looked at.</summary>
    public required bool HasMoreRefused { get; init; }

    /// <summary>What a test that was just sent was answered; empty where none was.</summary>
    public required IReadOnlyList<int> Sent { get; init; }

    /// <summary>What was captured of that test.</summary>
    public required Capture? SentCapture { get; init; }

    /// <summary>The cursor of the next page; null at the end.</summary>
    public required string? Next { get; init; }
}
