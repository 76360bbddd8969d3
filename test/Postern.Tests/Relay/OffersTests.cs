using Postern.Relay.Protocol;
using Postern.Relay.Server;

namespace Postern.Tests.Relay;

/// <summary>The order of offered envelopes, and how many are offered at once.</summary>
public sealed class OffersTests
{
    private long _seq;

    [Fact]
    public void Lanes_take_turns_and_each_keeps_its_order()
    {
        var offers = new Offers();
        foreach (var lane in new[] { "a", "a", "a", "b", "b", "c" })
            offers.Add(Envelope(lane));
        Assert.Equal("a1 b4 c6 a2 b5 a3", string.Join(' ', Taken(offers)));
        Assert.Equal(6, offers.Last);
        Assert.Equal(0, offers.Waiting);
    }

    [Fact]
    public void A_backlog_of_one_lane_stands_before_no_other()
    {
        var offers = new Offers();
        for (var i = 0; i < 1000; i++)
            offers.Add(Envelope("long"));
        Assert.Equal(RelayLimits.OpenOfLane, Taken(offers).Count);
        offers.Add(Envelope("live"));
        Assert.Equal(["live1001"], Taken(offers));
        offers.Done(5);
        Assert.Equal(["long17"], Taken(offers));
        // A number that is not open, or already done, releases nothing.
        offers.Done(5);
        offers.Done(500);
        Assert.Empty(Taken(offers));
    }

    [Fact]
    public void No_more_envelopes_are_open_than_allowed()
    {
        var offers = new Offers();
        for (var i = 0; i < 400; i++)
            offers.Add(Envelope("lane" + i));
        Assert.Equal(RelayLimits.Open, Taken(offers).Count);
        Assert.Equal(400 - RelayLimits.Open, offers.Waiting);
    }

    [Fact]
    public void A_single_envelope_finds_room_beside_the_backlog_of_many_lanes()
    {
        var offers = new Offers();
        for (var i = 0; i < 1000; i++)
            offers.Add(Envelope("lane" + (i % 20)));
        Assert.Equal(RelayLimits.OpenAhead, Taken(offers).Count);
        offers.Add(Envelope("live"));
        Assert.Equal(["live1001"], Taken(offers));
        // A lane that has become idle does not wait for the others.
        offers.Done(1);
        offers.Done(21);
        offers.Done(41);
        offers.Done(61);
        Assert.Equal(["lane081"], Taken(offers).Take(1));
    }

    [Fact]
    public void Large_ones_wait_for_room_and_the_largest_goes_alone()
    {
        var offers = new Offers();
        for (var i = 0; i < 10; i++)
            offers.Add(Envelope("lane" + i, 1024 * 1024));
        Assert.Equal(8, Taken(offers).Count);
        for (var i = 1; i <= 8; i++)
            offers.Done(i);
        Assert.Equal(2, Taken(offers).Count);
        offers.Done(9);
        offers.Done(10);
        offers.Add(Envelope("huge", 100 * 1024 * 1024));
        Assert.Single(Taken(offers));
        offers.Add(Envelope("small"));
        Assert.Empty(Taken(offers));
    }

    private WaitingEnvelope Envelope(string lane, long size = 100) => new(++_seq, $"env_{_seq}", lane, size, 0);

    private static List<string> Taken(Offers offers)
    {
        var taken = new List<string>();
        while (offers.Next() is { } next)
            taken.Add($"{next.Lane}{next.Seq}");
        return taken;
    }
}
