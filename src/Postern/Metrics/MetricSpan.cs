namespace Postern.Metrics;

/// <summary>A span of time of which figures are read.</summary>
/// <param name="From">Inclusive, microseconds since 1970.</param>
/// <param name="To">Exclusive.</param>
internal sealed record MetricSpan(MetricWidth Width, long From, long To);
