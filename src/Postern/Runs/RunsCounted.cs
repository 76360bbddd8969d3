namespace Postern.Runs;

/// <summary>What was counted of the runs that a filter finds.</summary>
/// <param name="By">For each name of a filter, its most frequent values with their numbers.</param>
/// <param name="LiveByTrigger">Runs that have not ended, by the trigger that made them.</param>
/// <param name="IsPart">There may be more of each.</param>
internal sealed record RunsCounted(
    IReadOnlyList<(string Name, List<(string Value, long Count)> Values)> By,
    IReadOnlyList<(string Trigger, long Count)> LiveByTrigger,
    bool IsPart
);
