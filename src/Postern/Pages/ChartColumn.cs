using Postern.Metrics;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>A column of a chart's table, which is also a line of the chart.</summary>
/// <param name="Label">Its head.</param>
/// <param name="Measure">What is counted.</param>
/// <param name="Part">Of spans: which part is shorter, such as 0.95; null: how often, or the level.</param>
internal sealed record ChartColumn(string Label, Measure Measure, double? Part = null)
{
    private const double Mebibyte = 1024 * 1024;

    public MeasureKind Kind => MeasureKind.Of(Measure);

    /// <summary>The value of a point: a count, a level, MiB or milliseconds.</summary>
    public double ValueOf(MetricPoint point) =>
        Part is { } part ? point.Quantile(part) / 1000
        : Kind.Unit == MeasureKind.Bytes ? point.Max / Mebibyte
        : Kind.IsLevel ? point.Max
        : point.Count;
}
