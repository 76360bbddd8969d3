using Postern.Storage;

namespace Postern.Tests.Storage;

/// <summary>Quantiles from buckets are near enough, and stored counts add up.</summary>
public sealed class SpanBucketsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(42)]
    public void A_quantile_is_within_a_tenth_of_the_true_one(int seed)
    {
        var random = new Random(seed);
        // From a tenth of a millisecond to several days, evenly over the orders of magnitude.
        var spans = Enumerable
            .Range(0, 5000)
            .Select(_ => (long)Math.Pow(10, 2.01 + (random.NextDouble() * 9.5)))
            .Order()
            .ToList();
        var counts = new long[SpanBuckets.Count];
        foreach (var span in spans)
            counts[SpanBuckets.Of(span)]++;
        foreach (var part in (double[])[0.01, 0.5, 0.95, 0.99, 1])
        {
            var exact = spans[(int)Math.Ceiling(part * spans.Count) - 1];
            var found = SpanBuckets.Quantile(counts, part, spans[^1]);
            Assert.InRange(found / exact, 0.9, 1.1);
        }
    }

    [Fact]
    public void Every_span_has_a_bucket_and_each_value_is_in_its_own()
    {
        Assert.Equal(0, SpanBuckets.Of(-5));
        Assert.Equal(0, SpanBuckets.Of(0));
        Assert.Equal(SpanBuckets.Count - 1, SpanBuckets.Of(long.MaxValue));
        for (var bucket = 1; bucket < SpanBuckets.Count - 1; bucket++)
            Assert.Equal(bucket, SpanBuckets.Of((long)SpanBuckets.ValueOf(bucket)));
        // 30 days have a bucket of their own.
        Assert.True(SpanBuckets.Of(30 * 86_400_000_000) < SpanBuckets.Count - 1);
    }

    [Fact]
    public void Stored_buckets_can_be_read_and_added()
    {
        var counts = new long[SpanBuckets.Count];
        (counts[0], counts[17], counts[^1]) = (3, 1, long.MaxValue / 4);
        var text = SpanBuckets.Text(counts);
        Assert.Equal($"0:3 17:1 133:{long.MaxValue / 4}", text);
        var read = new long[SpanBuckets.Count];
        SpanBuckets.Add(read, text);
        SpanBuckets.Add(read, text);
        SpanBuckets.Add(read, "");
        Assert.Equal(counts.Select(c => c * 2), read);
        Assert.Equal(0, SpanBuckets.Quantile(new long[SpanBuckets.Count], 0.5, 10));
    }
}
