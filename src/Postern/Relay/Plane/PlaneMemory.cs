using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// How far back this server remembers the messages that relays hand on. By the instant at which a relay says that it
/// took a message, that message is fresh; and a relay may lie about the time, or say that it keeps requests for longer
/// than it did. No instant counts that lies before what is remembered: the same message could have been here.
/// </summary>
internal sealed class PlaneMemory(Database database)
{
    /// <summary>
    /// Half of the day by which messages are remembered for longer than a relay keeps them: clocks that differ by less
    /// make no difference.
    /// </summary>
    private const long Slack = 12L * 3600 * 1_000_000;

    private long _heldFor;
    private long _from;

    /// <summary>What was joined now: the longest of what relays keep, and the latest of what is remembered.</summary>
    public void Is(IReadOnlyCollection<JoinedPlane> joined)
    {
        Interlocked.Exchange(ref _heldFor, joined.Select(p => p.HeldFor).DefaultIfEmpty(0).Max());
        Interlocked.Exchange(ref _from, joined.Select(p => p.RemembersFrom).DefaultIfEmpty(0).Max());
    }

    /// <summary>The instant by which a message is fresh, in microseconds.</summary>
    /// <param name="receivedAt">When the relay says that it took it.</param>
    public long InstantOf(long receivedAt)
    {
        var from = Math.Max(Interlocked.Read(ref _from), database.Now - Interlocked.Read(ref _heldFor));
        return Math.Max(receivedAt, from - Slack);
    }
}
