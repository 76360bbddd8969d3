namespace Postern.Bulk;

/// <summary>A reason with the number of skipped items, and one of them.</summary>
internal sealed record SkipCount(Skip Skip, long Count, string Item);
