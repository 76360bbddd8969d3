using System.Globalization;
using System.Text;

namespace Postern.Storage;

/// <summary>
/// The buckets that spans are counted into: from 0.1 ms to 30 days, each a fifth wider than the one before. A quantile
/// is the middle of its bucket, so it is at most 10 % off (below 0.1 ms and above 30 days it is the bucket's edge).
/// They never change: rows of all nodes and all days add up.
/// </summary>
internal static class SpanBuckets
{
    public const int Count = 134;
    private const double First = 100;
    private const double Ratio = 1.2;
    private static readonly double LogRatio = Math.Log(Ratio);

    /// <param name="span">Microseconds.</param>
    public static int Of(long span) =>
        span < First ? 0 : Math.Min(Count - 1, 1 + (int)(Math.Log(span / First) / LogRatio));

    /// <summary>The value that a bucket stands for, in microseconds.</summary>
    public static double ValueOf(int bucket) =>
        bucket == 0 ? First : First * Math.Pow(Ratio, bucket - 1) * (bucket == Count - 1 ? 1 : Math.Sqrt(Ratio));

    /// <summary>Returns the span below which a part of all spans lie, in microseconds; 0 when there are none.</summary>
    /// <param name="counts">How many are in each bucket.</param>
    /// <param name="part">Such as 0.95.</param>
    /// <param name="max">The longest: no quantile is longer.</param>
    public static double Quantile(ReadOnlySpan<long> counts, double part, long max)
    {
        var all = 0L;
        foreach (var count in counts)
            all += count;
        var left = (long)Math.Ceiling(all * part);
        for (var bucket = 0; bucket < counts.Length && all > 0; bucket++)
        {
            left -= counts[bucket];
            if (left <= 0)
                return Math.Min(ValueOf(bucket), max);
        }
        return 0;
    }

    /// <summary>The stored text: <c>bucket:count</c> of the buckets that are not empty, separated by blanks.</summary>
    public static string Text(ReadOnlySpan<long> counts)
    {
        var text = new StringBuilder();
        for (var bucket = 0; bucket < counts.Length; bucket++)
        {
            if (counts[bucket] == 0)
                continue;
            if (text.Length > 0)
                text.Append(' ');
            text.Append(CultureInfo.InvariantCulture, $"{bucket}:{counts[bucket]}");
        }
        return text.ToString();
    }

    /// <summary>Adds a stored text to <paramref name="counts"/>.</summary>
    public static void Add(Span<long> counts, ReadOnlySpan<char> text)
    {
        foreach (var part in text.Split(' '))
        {
            var pair = text[part];
            var colon = pair.IndexOf(':');
            if (colon > 0)
                counts[int.Parse(pair[..colon], CultureInfo.InvariantCulture)] += long.Parse(
                    pair[(colon + 1)..],
                    CultureInfo.InvariantCulture
                );
        }
    }
}
