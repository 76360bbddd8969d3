using System.Globalization;

namespace Postern.Storage;

/// <summary>
/// The time of a database, which decides about deadlines, leases, ids and tokens: microseconds since 1970. It never
/// goes back, and never jumps when somebody sets the machine's clock. From its first measurement on, it counts by the
/// monotonic clock and follows later measurements: within a second at once, beyond that so slowly that no deadline is
/// affected.
/// </summary>
/// <param name="clock">Its timestamps count; its wall clock is not read.</param>
internal sealed class SteadyClock(TimeProvider clock)
{
    /// <summary>Differences up to this are drift, or noise of the measurement.</summary>
    private const long Tolerance = 1_000_000;

    /// <summary>
    /// The part of the time between two measurements that is caught up when a clock is far ahead: a tenth.
    /// </summary>
    private const int ForwardShare = 10;

    private readonly Lock _following = new();
    private long _base;
    private long _told;
    private long _followedAt = long.MinValue;
    private long? _doubted;

    /// <summary>Unix time in microseconds. It never decreases.</summary>
    public long Now
    {
        get
        {
            var now = Interlocked.Read(ref _base) + Elapsed;
            while (true)
            {
                var told = Interlocked.Read(ref _told);
                // No reader sees time go back: after a correction the time stands still for a while.
                if (now <= told)
                    return told;
                if (Interlocked.CompareExchange(ref _told, now, told) == told)
                    return now;
            }
        }
    }

    /// <summary>Microseconds of the monotonic clock.</summary>
    private long Elapsed => clock.GetElapsedTime(0).Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>
    /// Follows a clock that can be trusted, such as the database server's. A difference counts when it is measured
    /// twice.
    /// </summary>
    /// <param name="theirs">Its time, Unix microseconds.</param>
    /// <param name="before">The timestamp before it was read.</param>
    /// <returns>How far it was off, in microseconds.</returns>
    public long FollowServer(long theirs, long before)
    {
        lock (_following)
        {
            if (_followedAt == long.MinValue)
                return Begin(theirs, before);
            var off = Off(theirs, before);
            var isDoubtful = Math.Abs(off) > Tolerance;
            var isConfirmed = _doubted is { } doubted && Math.Abs(off - doubted) <= Tolerance;
            if (!isDoubtful || (off > 0 && isConfirmed))
                Interlocked.Add(ref _base, off);
            // Far ahead: the time stands still for half of the way until the next measurement, and so on.
            else if (isConfirmed)
                Interlocked.Add(ref _base, -Math.Min(-off, SinceFollowed / 2));
            _doubted = isDoubtful ? off : null;
            _followedAt = Elapsed;
            return off;
        }
    }

    /// <summary>
    /// Follows the machine's own clock, which may be set wrongly. It follows slowly; the next start takes that clock as
    /// it is.
    /// </summary>
    /// <param name="wall">Its time, Unix microseconds.</param>
    /// <param name="slept">
    /// Microseconds that the machine was suspended since the last reading: time that has passed.</param>
    /// <returns>How far it was off, in microseconds.</returns>
    public long FollowWall(long wall, long slept)
    {
        lock (_following)
        {
            var before = clock.GetTimestamp();
            if (_followedAt == long.MinValue)
                return Begin(wall, before);
            if (slept > Tolerance)
                Interlocked.Add(ref _base, slept);
            var off = Off(wall, before);
            var most = SinceFollowed / (off > 0 ? ForwardShare : 2);
            Interlocked.Add(ref _base, Math.Abs(off) <= Tolerance ? off : Math.Clamp(off, -most, most));
            _followedAt = Elapsed;
            return off;
        }
    }

    private long SinceFollowed => Elapsed - _followedAt;

    private long Begin(long theirs, long before)
    {
        Interlocked.Add(ref _base, Off(theirs, before));
        _followedAt = Elapsed;
        return 0;
    }

    /// <summary>
    /// Returns how far another clock is ahead of this one, at the middle of the time that reading it took.
    /// </summary>
    private long Off(long theirs, long before)
    {
        var half = (long)clock.GetElapsedTime(before).TotalMicroseconds / 2;
        return theirs - (Interlocked.Read(ref _base) + Elapsed - half);
    }

    /// <summary>
    /// Returns the microseconds since the machine started, including those in which it was suspended; null where the
    /// system does not tell. The monotonic clock stands still during a suspension.
    /// </summary>
    public static long? SinceBoot()
    {
        const string file = "/proc/uptime";
        if (!File.Exists(file))
            return null;
        var seconds = File.ReadAllText(file).Split(' ')[0];
        return decimal.TryParse(seconds, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var up)
            ? (long)(up * 1_000_000)
            : null;
    }
}
