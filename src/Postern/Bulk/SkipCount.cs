namespace Postern.Bulk;

/// <summary>A reason, how many items it kept from being done, and one of them.</summary>
internal sealed record SkipCount(Skip Skip, long Count, string Item);
