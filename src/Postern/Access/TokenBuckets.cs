using System.Collections.Concurrent;

namespace Postern.Access;

/// <summary>Token buckets by name. A bucket that has filled up again is forgotten, so their number is bounded by who is active.</summary>
internal sealed class TokenBuckets(TimeProvider clock)
{
    private const int SweepAbove = 10_000;
    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);

    /// <summary>Takes one token if there is one.</summary>
    /// <param name="name">Whose bucket.</param>
    /// <param name="burst">How many it holds; 0 or less: there is no limit.</param>
    /// <param name="perSecond">How fast it fills.</param>
    public BucketAnswer Take(string name, double burst, double perSecond)
    {
        if (burst <= 0 || perSecond <= 0) return new BucketAnswer(true, 0, 0, 0);
        if (_buckets.Count > SweepAbove) Sweep();
        var bucket = _buckets.GetOrAdd(name, static (_, state) => new Bucket { Tokens = state.burst, At = state.now }, (burst, now: clock.GetTimestamp()));
        lock (bucket)
        {
            var now = clock.GetTimestamp();
            bucket.Tokens = Math.Min(burst, bucket.Tokens + (clock.GetElapsedTime(bucket.At, now).TotalSeconds * perSecond));
            bucket.At = now;
            bucket.FullAfter = (burst - bucket.Tokens) / perSecond;
            if (bucket.Tokens < 1) return new BucketAnswer(false, (int)burst, 0, (1 - bucket.Tokens) / perSecond);
            bucket.Tokens--;
            return new BucketAnswer(true, (int)burst, (int)bucket.Tokens, 0);
        }
    }

    private void Sweep()
    {
        foreach (var (name, bucket) in _buckets)
            if (clock.GetElapsedTime(bucket.At).TotalSeconds > bucket.FullAfter + 1) _buckets.TryRemove(name, out _);
    }

    private sealed class Bucket
    {
        public double Tokens;
        public long At;
        public double FullAfter;
    }
}

/// <param name="Allowed">Whether a token was taken.</param>
/// <param name="Limit">The bucket's size; 0 when there is no limit.</param>
/// <param name="Remaining">Tokens left.</param>
/// <param name="RetryAfter">Seconds until there is one again.</param>
internal readonly record struct BucketAnswer(bool Allowed, int Limit, int Remaining, double RetryAfter);
