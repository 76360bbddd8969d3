using Postern.Storage;

namespace Postern.Metrics;

/// <summary>A measure over time.</summary>
/// <param name="Node">The node, of what each has for itself; null: all nodes together.</param>
/// <param name="Points">In order of time; where nothing happened there is none.</param>
internal sealed record MetricSeries(MeasureKind Kind, string? Node, IReadOnlyList<MetricPoint> Points);
