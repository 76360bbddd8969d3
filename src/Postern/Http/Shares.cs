namespace Postern.Http;

/// <summary>
/// Divides something that is limited between parties. The last quarter goes only to parties that hold less than a
/// quarter of all, so that one party alone cannot keep the others out, and may have most of it while nobody else asks.
/// </summary>
/// <param name="most">All there is.</param>
internal sealed class Shares(long most)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _held = new(StringComparer.Ordinal);
    private readonly long _share = Math.Max(1, most / 4);
    private long _taken;

    /// <summary>All there is.</summary>
    public long Most => most;

    /// <summary>How much is taken, by all together.</summary>
    public long Taken => Interlocked.Read(ref _taken);

    /// <summary>Returns whether the party gets so much, which it then has until <see cref="Free"/>.</summary>
    /// <param name="party">Its name.</param>
    /// <param name="amount">How much more than it has.</param>
    /// <param name="standsForMany">The party only passes on what others send: it may have everything.</param>
    public bool TryTake(string party, long amount, bool standsForMany = false)
    {
        lock (_gate)
        {
            var (held, taken) = (_held.GetValueOrDefault(party) + amount, _taken + amount);
            if (taken > most || (!standsForMany && held > _share && taken > most - _share))
                return false;
            (_held[party], _taken) = (held, taken);
            return true;
        }
    }

    public void Free(string party, long amount)
    {
        lock (_gate)
        {
            _taken -= amount;
            if ((_held[party] -= amount) == 0)
                _held.Remove(party);
        }
    }

    /// <summary>Returns how much a party has.</summary>
    public long HeldBy(string party)
    {
        lock (_gate)
            return _held.GetValueOrDefault(party);
    }
}
