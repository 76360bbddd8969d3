using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>The last known state of this node at one relay, for pages and commands.</summary>
internal sealed class PlaneStanding
{
    /// <summary>
    /// The percentage at which a full backlog is reported. It is reported again once it was below the other percentage.
    /// </summary>
    public const int NearlyFull = 80;
    private const int NearlyEmpty = 60;

    private readonly Lock _lock = new();

    /// <summary>The transport of the live connection; null while there is none.</summary>
    public string? Transport { get; private set; }

    /// <summary>Whether this node is given envelopes.</summary>
    public bool Holds { get; private set; }

    /// <summary>When the present state began, in microseconds; 0 before the first try.</summary>
    public long Since { get; private set; }

    /// <summary>Where the last try failed, and why; null while the connection works.</summary>
    public string? FailedAt { get; private set; }

    public string? Why { get; private set; }

    public BacklogSize? Backlog { get; private set; }

    public BacklogQuota? Quota { get; private set; }

    /// <summary>Number of envelopes that were answered since the start.</summary>
    public long Answered { get; private set; }

    public long Reconnects { get; private set; }

    /// <summary>Whether it was reported that the relay cannot be reached.</summary>
    public bool ToldAway { get; set; }

    private bool _toldFull;

    public void Connected(string transport, ReadyHead ready, long now)
    {
        lock (_lock)
            (Transport, Holds, Since, FailedAt, Why, Backlog, Quota, Reconnects) = (
                transport,
                ready.Holder,
                now,
                null,
                null,
                ready.Backlog,
                ready.Quota,
                Reconnects + 1
            );
    }

    /// <summary>Returns the present state.</summary>
    /// <param name="clockOff">How many microseconds the relay's clock is ahead.</param>
    public NodeStanding Now(long clockOff)
    {
        lock (_lock)
            return new NodeStanding(Transport, Holds, Since, FailedAt, Why, Backlog, Quota, clockOff)
            {
                Answered = Answered,
                Connects = Reconnects,
            };
    }

    /// <summary>
    /// Records what the relay stores now. Returns true when the backlog has become nearly full and must be reported.
    /// </summary>
    public bool HasStored(BacklogSize backlog, BacklogQuota quota)
    {
        lock (_lock)
        {
            (Backlog, Quota) = (backlog, quota);
            var percent = quota.Percent(backlog);
            var isNews = percent >= NearlyFull && !_toldFull;
            _toldFull = percent >= (_toldFull ? NearlyEmpty : NearlyFull);
            return isNews;
        }
    }

    public void TakesOver()
    {
        lock (_lock)
            Holds = true;
    }

    public void HasAnswered()
    {
        lock (_lock)
            Answered++;
    }

    public void Lost(string step, string why, long now)
    {
        lock (_lock)
        {
            if (Transport is not null || Since == 0)
                Since = now;
            (Transport, Holds, FailedAt, Why) = (null, false, step, why);
        }
    }
}
