using System.Text.Json;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// The newest counts of lists of runs. They are used again until a run of the project changes, because counting reads
/// up to <see cref="RunCounts.Most"/> rows. A commit of this node makes them stale before it is answered. The word of
/// another node may be lost, and nobody announces that a run is not kept any more: so no count is used for longer than
/// <see cref="Longest"/>.
/// </summary>
internal sealed class KeptCounts(Changes changes, TimeProvider clock)
{
    /// <summary>Then the oldest one goes.</summary>
    public const int Most = 64;
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);
    private readonly Dictionary<(string Project, string Filter), Kept> _kept = [];
    private readonly Lock _lock = new();

    public int Count
    {
        get
        {
            lock (_lock)
                return _kept.Count;
        }
    }

    /// <summary>Returns what is kept of the filter, or what <paramref name="count"/> counts now.</summary>
    /// <param name="project">Whose runs.</param>
    /// <param name="filter">The list's; where its page begins does not matter.</param>
    /// <param name="count">Reads the database.</param>
    public async ValueTask<RunsCounted> OfAsync(string project, RunFilter filter, Func<ValueTask<RunsCounted>> count)
    {
        var key = (project, JsonSerializer.Serialize(filter with { After = null }));
        lock (_lock)
        {
            if (_kept.TryGetValue(key, out var known) && !known.IsStale && IsYoung(known))
                return known.Counts!;
        }
        // It listens before it reads, so no change is missed.
        var fresh = new Kept(clock.GetTimestamp());
        var listening = changes.Mark(Topics.List(project, "runs"), fresh.MakeStale);
        try
        {
            fresh.Counts = await count();
            fresh.Listening = listening;
            Keep(key, fresh);
            return fresh.Counts;
        }
        finally
        {
            if (fresh.Listening is null)
                listening.Dispose();
        }
    }

    private void Keep((string Project, string Filter) key, Kept fresh)
    {
        lock (_lock)
        {
            Remove(key);
            while (_kept.Count >= Most)
                Remove(_kept.MinBy(kept => kept.Value.At).Key);
            _kept[key] = fresh;
        }
    }

    private void Remove((string Project, string Filter) key)
    {
        if (_kept.Remove(key, out var old))
            old.Listening?.Dispose();
    }

    private bool IsYoung(Kept kept) => clock.GetElapsedTime(kept.At) < Longest;

    private sealed class Kept(long at)
    {
        private volatile bool _isStale;

        /// <summary>A timestamp of the clock.</summary>
        public long At => at;

        public bool IsStale => _isStale;

        public RunsCounted? Counts { get; set; }

        public IDisposable? Listening { get; set; }

        public void MakeStale() => _isStale = true;
    }
}
