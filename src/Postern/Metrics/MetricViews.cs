using Postern.Http;
using Postern.Storage;

namespace Postern.Metrics;

/// <summary>What was counted.</summary>
internal sealed record MetricsView(
    [Word("How long a point is.", "minute", "hour")] string Width,
    [At("Where the first point could begin.")] string From,
    [At("Before which the last begins.")] string To,
    [Member("A series a name; of what each node has for itself, one a node.")] IReadOnlyList<MetricSeriesView> Series
);

/// <summary>A measure over time.</summary>
internal sealed record MetricSeriesView(
    [Member("What is counted.")] string Name,
    [Word("Of what max and the quantiles are.", MeasureKind.Count, MeasureKind.Milliseconds, MeasureKind.Bytes)]
        string Unit,
    [Member("The node, of what each has for itself.")] string? Node,
    [Member("In order of time; where nothing happened there is none.")] IReadOnlyList<MetricPointView> Points
)
{
    public static MetricSeriesView Of(MetricSeries series) =>
        new(
            series.Kind.Name,
            series.Kind.Unit,
            series.Node,
            [.. series.Points.Select(point => MetricPointView.Of(series.Kind, point))]
        );
}

/// <summary>One minute or hour.</summary>
internal sealed record MetricPointView(
    [At("Where it begins.")] string At,
    [Member("How often it happened; 0 of levels.")] long Count,
    [Member("The highest level, or the longest span; null of counts.")] decimal? Max,
    [Member("Half of the spans are shorter; at most 10 % off. Null of all else.")] decimal? P50,
    [Member("95 of 100 are shorter.")] decimal? P95,
    [Member("99 of 100 are shorter.")] decimal? P99
)
{
    public static MetricPointView Of(MeasureKind kind, MetricPoint point) =>
        kind.IsSpan
            ? new(
                Wire.Iso(point.At),
                point.Count,
                Milliseconds(point.Max),
                Milliseconds(point.Quantile(0.5)),
                Milliseconds(point.Quantile(0.95)),
                Milliseconds(point.Quantile(0.99))
            )
            : new(Wire.Iso(point.At), point.Count, kind.IsLevel ? point.Max : null, null, null, null);

    private static decimal Milliseconds(double microseconds) => decimal.Round((decimal)microseconds / 1000, 3);
}
