namespace Postern.Bulk;

/// <summary>The result of a preview.</summary>
/// <param name="Matched">How many.</param>
/// <param name="IsCapped">There may be more: these are the newest.</param>
/// <param name="Sample">The ids of the first.</param>
/// <param name="Mark">Starts it.</param>
internal sealed record BulkFound(long Matched, bool IsCapped, IReadOnlyList<string> Sample, string Mark);
