namespace Postern.Storage;

/// <summary>The counts of one measure of one project.</summary>
/// <param name="Max">The greatest level, or the longest span in microseconds.</param>
/// <param name="Buckets">Of spans (<see cref="SpanBuckets"/>); null for what is only counted.</param>
internal sealed record TallyRow(string Project, Measure Measure, long Count, long Max, long[]? Buckets);
