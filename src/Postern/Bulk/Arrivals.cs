namespace Postern.Bulk;

/// <summary>What has become of things that were sent again.</summary>
/// <param name="Arrived">They have arrived.</param>
/// <param name="UnderWay">They may still arrive.</param>
internal sealed record Arrivals(long Arrived, long UnderWay);
