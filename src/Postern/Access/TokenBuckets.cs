using System.Collections.Concurrent;

namespace Postern.Access;

/// <summary>
/// Token buckets by name. A full bucket is forgotten. When too many are in use, further names share some, so that no
/// number of callers fills the memory.
/// </summary>
internal sealed class TokenBuckets(TimeProvider clock)
{
    /// <summary>The most buckets in memory, besides the shared ones.</summary>
    public const int Kept = 50_000;
    private const int SweepAbove = 10_000;
    private const int Shared = 1_024;
    private long _sweptAt;
    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);

    /// <summary>Takes one token if there is one.</summary>
    /// <param name="name">Whose bucket.</param>
    /// <param name="burst">How many it holds; 0 or less: there is no limit.</param>
    /// <param name="perSecond">How fast it fills.</param>
    public BucketAnswer Take(string name, double burst, double perSecond)
    {
        if (burst <= 0 || perSecond <= 0)
            return new BucketAnswer(true, 0, 0, 0);
        if (!_buckets.TryGetValue(name, out var bucket))
            bucket = Add(name, burst);
        lock (bucket)
        {
            var now = clock.GetTimestamp();
            bucket.Tokens = Math.Min(
                burst,
                bucket.Tokens + (clock.GetElapsedTime(bucket.At, now).TotalSeconds * perSecond)
            );
            bucket.At = now;
            if (bucket.Tokens >= 1)
                bucket.Tokens--;
            else
                return new BucketAnswer(false, (int)burst, 0, (1 - bucket.Tokens) / perSecond);
            bucket.FullAfter = (burst - bucket.Tokens) / perSecond;
            return new BucketAnswer(true, (int)burst, (int)bucket.Tokens, 0);
        }
    }

    public int Count => _buckets.Count;

    /// <summary>Returns whether a token could be taken, without taking it.</summary>
    /// <param name="name">Whose bucket.</param>
    /// <param name="burst">How many it holds.</param>
    /// <param name="perSecond">How fast it fills.</param>
    public BucketAnswer Peek(string name, double burst, double perSecond)
    {
        if (!_buckets.TryGetValue(name, out var bucket))
            return new BucketAnswer(true, (int)burst, (int)burst, 0);
        lock (bucket)
        {
            var elapsed = clock.GetElapsedTime(bucket.At, clock.GetTimestamp()).TotalSeconds;
            var tokens = Math.Min(burst, bucket.Tokens + (elapsed * perSecond));
            return tokens >= 1
                ? new BucketAnswer(true, (int)burst, (int)tokens, 0)
                : new BucketAnswer(false, (int)burst, 0, (1 - tokens) / perSecond);
        }
    }

    private Bucket Add(string name, double burst)
    {
        // Counting waits for everybody who adds, so only who adds counts.
        var count = _buckets.Count;
        if (count > SweepAbove)
            Sweep();
        if (count >= Kept)
            name = "shared " + (uint)StringComparer.Ordinal.GetHashCode(name) % Shared;
        return _buckets.GetOrAdd(
            name,
            static (_, state) => new Bucket { Tokens = state.burst, At = state.now },
            (burst, now: clock.GetTimestamp())
        );
    }

    private void Sweep()
    {
        // Once a second is enough, because a sweep visits all of them.
        var last = Interlocked.Read(ref _sweptAt);
        if (
            (last != 0 && clock.GetElapsedTime(last).TotalSeconds < 1)
            || Interlocked.CompareExchange(ref _sweptAt, clock.GetTimestamp(), last) != last
        )
            return;
        foreach (var (name, bucket) in _buckets)
            if (clock.GetElapsedTime(bucket.At).TotalSeconds > bucket.FullAfter + 1)
                _buckets.TryRemove(name, out _);
    }

    private sealed class Bucket
    {
        public double Tokens;
        public long At;
        public double FullAfter;
    }
}
