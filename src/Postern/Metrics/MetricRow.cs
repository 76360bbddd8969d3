using Postern.Storage;

namespace Postern.Metrics;

/// <summary>A row to be stored.</summary>
/// <param name="At">Where the minute or hour begins, microseconds since 1970.</param>
internal sealed record MetricRow(MetricWidth Width, long At, TallyRow Counted);
