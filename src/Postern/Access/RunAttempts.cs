using System.Collections.Concurrent;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// The runs whose tokens are in use, in memory, so that checking a run's token is cheap. An entry is read again when
/// its run changed: before the answer to a change made here, within a second for a change on another node. Unused
/// entries are forgotten.
/// </summary>
internal sealed class RunAttempts(ReadRunState read, Database database, TimeProvider clock)
{
    private const int SweepAbove = 10_000;
    private static readonly TimeSpan Unused = TimeSpan.FromMinutes(2);
    private readonly ConcurrentDictionary<(string Project, string Run), RunWatch> _runs = new();

    public int Count => _runs.Count;

    /// <summary>Returns the present state of the run.</summary>
    public async ValueTask<RunWatch> OfAsync(string project, string run)
    {
        while (true)
        {
            if (!_runs.TryGetValue((project, run), out var watch))
            {
                if (_runs.Count >= SweepAbove)
                    Sweep();
                var made = new RunWatch(project, run, read, database, clock);
                watch = _runs.GetOrAdd((project, run), made);
                if (!ReferenceEquals(watch, made))
                    made.Dispose();
            }
            watch.UsedAt = clock.GetTimestamp();
            await watch.EnsureFreshAsync();
            // It was just removed. An entry without a listener would never hear of the run's end.
            if (!watch.IsRetired)
                return watch;
            _runs.TryRemove(new KeyValuePair<(string, string), RunWatch>((project, run), watch));
        }
    }

    /// <summary>
    /// Forgets unused entries. When all are in use, the oldest half is removed, and is read again when it is needed.
    /// </summary>
    private void Sweep()
    {
        foreach (var (key, watch) in _runs)
            if (clock.GetElapsedTime(watch.UsedAt) > Unused)
                Remove(key, watch);
        if (_runs.Count < SweepAbove)
            return;
        foreach (var (key, watch) in _runs.OrderBy(r => r.Value.UsedAt).Take(SweepAbove / 2))
            Remove(key, watch);
    }

    private void Remove((string Project, string Run) key, RunWatch watch)
    {
        if (watch.TryRetire())
            _runs.TryRemove(new KeyValuePair<(string, string), RunWatch>(key, watch));
    }
}
