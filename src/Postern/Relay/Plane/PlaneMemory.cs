using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// How far back this server remembers messages from relays. The age of a message is measured at the time at which the
/// relay says that it received it. But a relay may lie about that time, or later say that it keeps requests longer than
/// it did. So no time counts that lies before what is remembered: the message could have been here already.
/// </summary>
internal sealed class PlaneMemory(Database database)
{
    /// <summary>
    /// Messages are remembered one day longer than a relay keeps them. This is half of that day: clocks that differ by
    /// less make no difference.
    /// </summary>
    private const long Slack = 12L * 3600 * 1_000_000;

    private long _heldFor;
    private long _from;

    /// <summary>
    /// Takes over the joined relays: the longest time that one keeps requests, and the latest time since which messages
    /// are remembered.
    /// </summary>
    public void Is(IReadOnlyCollection<JoinedPlane> joined)
    {
        Interlocked.Exchange(ref _heldFor, joined.Select(p => p.HeldFor).DefaultIfEmpty(0).Max());
        Interlocked.Exchange(ref _from, joined.Select(p => p.RemembersFrom).DefaultIfEmpty(0).Max());
    }

    /// <summary>Returns the time at which the age of a message is measured, in microseconds.</summary>
    /// <param name="receivedAt">When the relay says that it received it.</param>
    public long InstantOf(long receivedAt)
    {
        var from = Math.Max(Interlocked.Read(ref _from), database.Now - Interlocked.Read(ref _heldFor));
        return Math.Max(receivedAt, from - Slack);
    }
}
