using Microsoft.Extensions.DependencyInjection;
using Postern.Metrics;
using Postern.Storage;

namespace Postern.Support;

/// <summary>Fills the metrics of a server with figures of the last two days, for charts.</summary>
internal static class Figures
{
    private const long Minute = 60_000_000;

    public static async Task FillAsync(TestServer server, int minutes = 240)
    {
        var store = server.App.Services.GetRequiredService<MetricStore>();
        var (project, now) = (await server.ProjectAsync(), MetricWidth.Minute.StartOf(server.Database.Now));
        var random = new Random(7);
        var rows = new List<MetricRow>();
        for (var i = 1; i <= minutes; i++)
            foreach (var kind in MeasureKind.All)
                rows.Add(new MetricRow(MetricWidth.Minute, now - (i * Minute), Row(kind, i)));
        await store.WriteAsync("node-a", rows);

        TallyRow Row(MeasureKind kind, int i)
        {
            var count = 20 + (int)(15 * Math.Sin(i / 9.0)) + random.Next(6);
            var owner = kind.IsOfServer ? Tally.Server : project;
            if (kind.IsSpan)
            {
                var buckets = new long[SpanBuckets.Count];
                for (var n = 0; n < count; n++)
                    buckets[SpanBuckets.Of(random.Next(1, 400) * (long)random.Next(100, 20_000))]++;
                return new TallyRow(owner, kind.Measure, count, 8_000_000, buckets);
            }
            return kind.IsLevel
                ? new TallyRow(
                    owner,
                    kind.Measure,
                    0,
                    kind.Unit == MeasureKind.Bytes ? 90_000_000 + (i * 50_000) : count,
                    null
                )
                : new TallyRow(
                    owner,
                    kind.Measure,
                    kind.Name.EndsWith("d", StringComparison.Ordinal) ? count / 4 : count,
                    0,
                    null
                );
        }
    }
}
