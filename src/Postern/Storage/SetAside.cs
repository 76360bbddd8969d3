using System.Collections.Concurrent;

namespace Postern.Storage;

/// <summary>
/// Remembers items that failed again and again. An item is tried three times, then after 2, 4, 8 s and so on, up to a
/// minute. So an item that cannot be settled costs little and does not fill the log, and is settled as soon as that
/// works.
/// </summary>
internal sealed class SetAside(TimeProvider clock)
{
    private const int FreeTries = 3;
    private const int MaxSeconds = 64;

    /// <summary>The most items that are remembered. Others are tried as often as items without failures.</summary>
    private const int MaxRemembered = 10_000;

    private readonly ConcurrentDictionary<string, (int Tries, long At)> _failed = new(StringComparer.Ordinal);

    public bool Holds(string key) =>
        _failed.TryGetValue(key, out var entry)
        && entry.Tries > FreeTries
        && clock.GetElapsedTime(entry.At).TotalSeconds < Math.Min(MaxSeconds, Math.Pow(2, entry.Tries - FreeTries));

    public void Failed(string key)
    {
        if (_failed.Count >= MaxRemembered && !_failed.ContainsKey(key))
            return;
        _failed.AddOrUpdate(key, _ => (1, clock.GetTimestamp()), (_, entry) => (entry.Tries + 1, clock.GetTimestamp()));
    }

    public void Forget(string key) => _failed.TryRemove(key, out _);
}
