namespace Postern.Metrics;

/// <summary>A period for which figures are read.</summary>
/// <param name="From">Inclusive, microseconds since 1970.</param>
/// <param name="To">Exclusive.</param>
internal sealed record MetricSpan(MetricWidth Width, long From, long To);
