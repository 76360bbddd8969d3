namespace Postern.Pages;

/// <summary>The door table, filtered.</summary>
internal sealed record DoorsModel
{
    public required IReadOnlyList<DoorRow> Rows { get; init; }

    /// <summary>How many doors match the filters.</summary>
    public required int Count { get; init; }

    /// <summary>The credential whose rights are shown; null: none.</summary>
    public required string? Who { get; init; }

    public required PageFilters Filters { get; init; }

    public required string? Next { get; init; }

    /// <summary>Refusals of the last day, by method and path.</summary>
    public required IReadOnlyDictionary<string, long> RefusedTimes { get; init; }

    /// <summary>False when only the newest refusals of the day were counted.</summary>
    public required bool IsWhole { get; init; }
}
