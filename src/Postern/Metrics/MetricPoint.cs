using Postern.Storage;

namespace Postern.Metrics;

/// <summary>What all nodes counted of a measure in one minute or hour.</summary>
internal sealed class MetricPoint(long at)
{
    private long[]? _buckets;

    /// <summary>Where the minute or hour begins, microseconds since 1970.</summary>
    public long At => at;

    public long Count { get; private set; }

    /// <summary>The sum of what each node reached at most of a level; the longest of spans, microseconds.</summary>
    public long Max { get; private set; }

    /// <summary>Adds what one node counted.</summary>
    public void Add(MeasureKind kind, long count, long max, string? buckets)
    {
        Count += count;
        Max = kind.IsLevel ? Max + max : Math.Max(Max, max);
        if (buckets is not null)
            SpanBuckets.Add(_buckets ??= new long[SpanBuckets.Count], buckets);
    }

    /// <summary>Adds another span of time.</summary>
    public void Add(MetricPoint other)
    {
        Count += other.Count;
        Max = Math.Max(Max, other.Max);
        if (other._buckets is null)
            return;
        _buckets ??= new long[SpanBuckets.Count];
        for (var i = 0; i < _buckets.Length; i++)
            _buckets[i] += other._buckets[i];
    }

    /// <summary>The span below which a part of all are, microseconds.</summary>
    public double Quantile(double part) => SpanBuckets.Quantile(_buckets, part, Max);
}
