namespace Postern.Bulk;

/// <summary>How many of the things that were sent again have arrived.</summary>
/// <param name="Arrived">They have arrived.</param>
/// <param name="UnderWay">They may still arrive.</param>
internal sealed record Arrivals(long Arrived, long UnderWay);
