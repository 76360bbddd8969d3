using Postern.Storage;

namespace Postern.Tests.Storage;

public sealed class SteadyClockTests
{
    private const long Second = 1_000_000;
    private const long Hour = 3600 * Second;
    private const long Start = 1_700_000_000 * Second;

    /// <summary>A clock that is used only for its timestamps.</summary>
    private sealed class Timestamps : TimeProvider
    {
        public long Microseconds { get; set; }

        public override long TimestampFrequency => Second;

        public override long GetTimestamp() => Microseconds;
    }

    private static (Timestamps Time, SteadyClock Clock) Started()
    {
        var time = new Timestamps();
        var clock = new SteadyClock(time);
        clock.FollowWall(Start, 0);
        return (time, clock);
    }

    [Fact]
    public void It_begins_with_the_time_that_it_is_told_and_counts_on()
    {
        var (time, clock) = Started();
        Assert.Equal(Start, clock.Now);
        time.Microseconds += 5 * Second;
        Assert.Equal(Start + (5 * Second), clock.Now);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(-2)]
    public void A_wall_clock_that_is_wrong_for_some_seconds_changes_nothing_that_is_due(int hours)
    {
        var (time, clock) = Started();
        var passed = 0L;
        var before = clock.Now;
        for (var look = 0; look < 3; look++)
        {
            time.Microseconds += 20 * Second;
            passed += 20 * Second;
            // Wrong at one reading, right at the others.
            clock.FollowWall(Start + passed + (look == 1 ? hours * Hour : 0), 0);
            Assert.InRange(clock.Now, before, Start + passed + (2 * Second));
            before = clock.Now;
        }
        Assert.InRange(clock.Now, Start + passed - (10 * Second), Start + passed + (2 * Second));
    }

    [Fact]
    public void A_wall_clock_that_stays_away_is_followed_slowly_and_never_backwards()
    {
        foreach (var hours in (long[])[2, -2])
        {
            var (time, clock) = Started();
            var (looks, passed, before) = (0, 0L, clock.Now);
            long off;
            do
            {
                time.Microseconds += 20 * Second;
                passed += 20 * Second;
                off = clock.FollowWall(Start + passed + (hours * Hour), 0);
                var now = clock.Now;
                Assert.InRange(now - before, 0, 22 * Second);
                before = now;
                looks++;
            } while (Math.Abs(off) > Second && looks < 10_000);
            Assert.InRange(looks, 700, 4000);
        }
    }

    [Fact]
    public void Drift_is_followed_at_once()
    {
        var (time, clock) = Started();
        time.Microseconds += 20 * Second;
        clock.FollowWall(Start + (20 * Second) + 300_000, 0);
        Assert.Equal(Start + (20 * Second) + 300_000, clock.Now);
        clock.FollowWall(Start + (20 * Second), 0);
        // It stands still until real time has caught up.
        Assert.Equal(Start + (20 * Second) + 300_000, clock.Now);
        time.Microseconds += Second;
        Assert.Equal(Start + (21 * Second), clock.Now);
    }

    [Fact]
    public void Time_in_suspension_counts_as_passed()
    {
        var (time, clock) = Started();
        time.Microseconds += 20 * Second;
        clock.FollowWall(Start + (20 * Second) + (8 * Hour), 8 * Hour);
        Assert.Equal(Start + (20 * Second) + (8 * Hour), clock.Now);
    }

    [Fact]
    public void A_clock_difference_counts_when_measured_twice()
    {
        var time = new Timestamps();
        var clock = new SteadyClock(time);
        clock.FollowServer(Start, 0);
        time.Microseconds += 20 * Second;
        Assert.Equal(Hour, clock.FollowServer(Start + (20 * Second) + Hour, time.Microseconds));
        Assert.Equal(Start + (20 * Second), clock.Now);
        time.Microseconds += 20 * Second;
        Assert.Equal(0, clock.FollowServer(Start + (40 * Second), time.Microseconds));
        Assert.Equal(Start + (40 * Second), clock.Now);
        foreach (var _ in (int[])[1, 2])
        {
            time.Microseconds += 20 * Second;
            clock.FollowServer(Start + time.Microseconds + Hour, time.Microseconds);
        }
        Assert.Equal(Start + time.Microseconds + Hour, clock.Now);
    }

    [Fact]
    public void A_slow_way_to_the_server_is_no_time_of_its_own()
    {
        var time = new Timestamps { Microseconds = 50 * Second };
        var clock = new SteadyClock(time);
        var before = time.Microseconds;
        time.Microseconds += 4 * Second;
        clock.FollowServer(Start + (2 * Second), before);
        Assert.Equal(Start + (4 * Second), clock.Now);
    }
}
