using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>How this node stands to one relay, for whoever asks: the last that was seen.</summary>
internal sealed class PlaneStanding
{
    /// <summary>A backlog that is as full, in percent, is told; again once it was emptier than the other.</summary>
    public const int NearlyFull = 80;
    private const int NearlyEmpty = 60;

    private readonly Lock _lock = new();

    /// <summary>The transport of the live connection; null while there is none.</summary>
    public string? Transport { get; private set; }

    /// <summary>Whether this node is given envelopes.</summary>
    public bool Holds { get; private set; }

    /// <summary>When the present state began, in microseconds; 0 before the first try.</summary>
    public long Since { get; private set; }

    /// <summary>Where it failed last, and why; null while it is connected.</summary>
    public string? FailedAt { get; private set; }

    public string? Why { get; private set; }

    public BacklogSize? Backlog { get; private set; }

    public BacklogQuota? Quota { get; private set; }

    /// <summary>Envelopes that were answered since the start.</summary>
    public long Answered { get; private set; }

    public long Reconnects { get; private set; }

    /// <summary>Whether it has been told that the relay is away.</summary>
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

    /// <summary>What is stored there now. True: it has become nearly full, and that is to be told.</summary>
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
