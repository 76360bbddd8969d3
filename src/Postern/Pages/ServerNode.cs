using Postern.Metrics;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>What a node has counted about itself in the last hour.</summary>
/// <param name="SeenAt">The last minute that it kept, microseconds since 1970.</param>
/// <param name="Memory">Bytes, now.</param>
/// <param name="Queue">Commands that waited for the writer, at most.</param>
/// <param name="CommitP50">Microseconds.</param>
/// <param name="CommitP99">Microseconds.</param>
/// <param name="Errors">Answers with 5xx.</param>
internal sealed record ServerNode(
    string Name,
    long SeenAt,
    long Memory,
    long Queue,
    double CommitP50,
    double CommitP99,
    long Errors
)
{
    /// <summary>The measures that are read of each node.</summary>
    public static readonly Measure[] Measures =
    [
        Measure.Memory,
        Measure.WriterQueue,
        Measure.CommitTime,
        Measure.ServerErrors,
    ];

    public static IReadOnlyList<ServerNode> Of(IEnumerable<MetricSeries> series) =>
        [
            .. series
                .Where(s => s.Node is not null && s.Points.Count > 0)
                .GroupBy(s => s.Node!, StringComparer.Ordinal)
                .Select(node => Of(node.Key, node.ToDictionary(s => s.Kind.Measure, s => s.Points)))
                .OrderByDescending(node => node.SeenAt),
        ];

    private static ServerNode Of(string name, Dictionary<Measure, IReadOnlyList<MetricPoint>> of)
    {
        var hour = new MetricPoint(0);
        foreach (var point in of.GetValueOrDefault(Measure.CommitTime, []))
            hour.Add(point);
        return new ServerNode(
            name,
            of.Values.Max(points => points[^1].At),
            of.GetValueOrDefault(Measure.Memory, []).LastOrDefault()?.Max ?? 0,
            of.GetValueOrDefault(Measure.WriterQueue, []).Select(p => p.Max).DefaultIfEmpty().Max(),
            hour.Quantile(0.5),
            hour.Quantile(0.99),
            of.GetValueOrDefault(Measure.ServerErrors, []).Sum(p => p.Count)
        );
    }
}
