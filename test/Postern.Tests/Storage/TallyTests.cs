using Postern.Storage;

namespace Postern.Tests.Storage;

/// <summary>Counting in memory: nothing is lost, and nothing is allocated.</summary>
public sealed class TallyTests
{
    [Fact]
    public async Task Counts_during_emptying_are_kept_once()
    {
        var tally = new Tally();
        const int each = 200_000;
        var counting = Enumerable
            .Range(0, 4)
            .Select(i =>
                Task.Run(() =>
                {
                    for (var n = 0; n < each; n++)
                    {
                        tally.Add("p" + (i % 2), Measure.RunsCreated);
                        tally.AddSpan("p", Measure.RunLatency, n);
                    }
                })
            )
            .ToList();
        var rows = new List<TallyRow>();
        while (counting.Exists(c => !c.IsCompleted))
        {
            rows.AddRange(tally.Drain());
            await Task.Yield();
        }
        await Task.WhenAll(counting);
        rows.AddRange(tally.Drain());
        rows.AddRange(tally.Drain());
        Assert.Equal(4 * each, rows.Where(r => r.Measure == Measure.RunsCreated).Sum(r => r.Count));
        Assert.Equal(4 * each, rows.Where(r => r.Measure == Measure.RunLatency).Sum(r => r.Buckets!.Sum()));
        Assert.Equal(each - 1, rows.Where(r => r.Measure == Measure.RunLatency).Max(r => r.Max));
        Assert.Equal(0, tally.Count);
    }

    [Fact]
    public void Counting_allocates_nothing()
    {
        var tally = new Tally();
        Count();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            Count();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Count()
        {
            tally.Add("p", Measure.RefusedScope);
            tally.AddSpan("p", Measure.CommitTime, 1234);
            tally.Level("p", Measure.OpenStreams, 17);
        }
    }

    [Fact]
    public void Every_measure_has_its_name_at_its_place()
    {
        Assert.True(MeasureKind.All.Length <= 30, "a minute of a project has at most 30 rows");
        Assert.Equal(Enum.GetValues<Measure>(), MeasureKind.All.Select(kind => kind.Measure));
        Assert.Equal(
            MeasureKind.All.Length,
            MeasureKind.All.Select(k => k.Name).Distinct(StringComparer.Ordinal).Count()
        );
    }
}
