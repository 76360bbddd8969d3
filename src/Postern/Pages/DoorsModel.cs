namespace Postern.Pages;

/// <summary>The door table, narrowed.</summary>
internal sealed record DoorsModel
{
    public required IReadOnlyList<DoorRow> Rows { get; init; }

    /// <summary>How many doors the filters find.</summary>
    public required int Count { get; init; }

    /// <summary>Whose rights are asked about; null: nobody's.</summary>
    public required string? Who { get; init; }

    public required PageFilters Filters { get; init; }

    public required string? Next { get; init; }

    /// <summary>Refusals of the last day, by method and path.</summary>
    public required IReadOnlyDictionary<string, long> RefusedTimes { get; init; }

    /// <summary>False: only the newest of the day were counted.</summary>
    public required bool IsWhole { get; init; }
}
