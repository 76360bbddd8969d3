using Postern.Deliveries;
using Postern.Settings;

namespace Postern.Tests.Deliveries;

/// <summary>
/// An endpoint's rate limit holds from its first request on, whatever waits for it and however long it was idle.
/// </summary>
public sealed class DeliveryLaneTests
{
    private const long Second = 1_000_000;

    private static DeliveryLane Waiting(int count)
    {
        var lane = new DeliveryLane(new DeliveryOptions());
        for (var i = 0; i < count; i++)
            lane.Add(
                new Delivery
                {
                    Project = "p",
                    Id = "dlv_" + i,
                    Purpose = "event",
                    Endpoint = "endpoint:e",
                    Subject = "s",
                    Type = "t",
                    Status = Delivery.Pending,
                    Ordered = true,
                    CreatedAt = 0,
                    DueAt = 0,
                    LeaseNo = 0,
                    GiveUpAt = 0,
                    Attempts = 0,
                    Tries = 0,
                }
            );
        return lane;
    }

    private static int StartAll(DeliveryLane lane, long now)
    {
        var started = 0;
        while (lane.Start(now) is not null)
            started++;
        for (var i = 0; i < started; i++)
            lane.Finish(reached: true, now);
        return started;
    }

    [Fact]
    public void Until_the_rate_is_known_one_is_under_way()
    {
        var lane = Waiting(12);
        var now = 1000 * Second;
        Assert.NotNull(lane.Start(now));
        Assert.Null(lane.Start(now));
        Assert.True(lane.Learn(5, now));
        Assert.False(lane.Learn(5, now));
        lane.Finish(reached: true, now);
        Assert.Equal(4, StartAll(lane, now));
        Assert.Equal(0, StartAll(lane, now + (Second / 10)));
        Assert.Equal(5, StartAll(lane, now + Second));
        Assert.Equal(1, StartAll(lane, now + Second + (Second / 5)));
    }

    [Fact]
    public void A_lane_is_not_forgotten_before_its_rate_is_whole_again()
    {
        var lane = Waiting(1);
        var now = 1000 * Second;
        lane.Start(now);
        lane.Learn(5, now);
        lane.Finish(reached: true, now);
        Assert.False(lane.IsIdle(now + Second));
        Assert.True(lane.IsIdle(now + (2 * Second)));
    }

    [Fact]
    public void Without_a_rate_all_places_are_taken_once_that_is_known()
    {
        var lane = Waiting(100);
        Assert.NotNull(lane.Start(Second));
        Assert.Null(lane.Start(Second));
        lane.Learn(null, Second);
        var started = 0;
        while (lane.Start(Second) is not null)
            started++;
        Assert.Equal(new DeliveryOptions().EndpointConcurrency - 1, started);
    }
}
