using System.Collections.Concurrent;
using Postern.Storage;

namespace Postern.Access;

/// <summary>What becomes of a run, as far as its workers' credentials rest on it. Times are microseconds.</summary>
/// <param name="Attempt">The attempt that has the run.</param>
/// <param name="AttemptAt">When that attempt began.</param>
/// <param name="EndedAt">When the run ended, or null.</param>
internal sealed record RunState(long Attempt, long AttemptAt, long? EndedAt);

/// <summary>Reads the state of a run; null when there is no such run. The runs' own store answers it.</summary>
internal delegate ValueTask<RunState?> ReadRunState(string project, string run);

/// <summary>
/// The runs whose tokens are in use, in memory, so that asking a run's token costs nothing. An entry is read again when the run was touched:
/// before the answer to what ended it here, within a second for what ended it on another node. What nobody has used for a while is forgotten.
/// </summary>
internal sealed class RunAttempts(ReadRunState read, Database database, TimeProvider clock)
{
    private const int SweepAbove = 10_000;
    private static readonly TimeSpan Unused = TimeSpan.FromMinutes(2);
    private readonly ConcurrentDictionary<(string Project, string Run), RunWatch> _runs = new();

    public int Count => _runs.Count;

    /// <summary>The run, as it is now.</summary>
    public async ValueTask<RunWatch> OfAsync(string project, string run)
    {
        while (true)
        {
            if (!_runs.TryGetValue((project, run), out var watch))
            {
                if (_runs.Count >= SweepAbove) Sweep();
                var made = new RunWatch(project, run, read, database, clock);
                watch = _runs.GetOrAdd((project, run), made);
                if (!ReferenceEquals(watch, made)) made.Dispose();
            }
            watch.UsedAt = clock.GetTimestamp();
            await watch.EnsureFreshAsync();
            // Swept in this moment: what nobody listens for any more would never hear of its end.
            if (!watch.IsRetired) return watch;
            _runs.TryRemove(new KeyValuePair<(string, string), RunWatch>((project, run), watch));
        }
    }

    /// <summary>Forgets what is not in use. When everything is, the oldest half goes: whoever asks reads it again.</summary>
    private void Sweep()
    {
        foreach (var (key, watch) in _runs)
            if (clock.GetElapsedTime(watch.UsedAt) > Unused) Remove(key, watch);
        if (_runs.Count < SweepAbove) return;
        foreach (var (key, watch) in _runs.OrderBy(r => r.Value.UsedAt).Take(SweepAbove / 2)) Remove(key, watch);
    }

    private void Remove((string Project, string Run) key, RunWatch watch)
    {
        if (watch.TryRetire()) _runs.TryRemove(new KeyValuePair<(string, string), RunWatch>(key, watch));
    }
}

/// <summary>
/// One run that is watched: its state, and whether something has touched it since that was read. Whoever still holds
/// one that was retired is told nothing wrong: it is read each time it is asked, and listens again while something
/// follows it.
/// </summary>
internal sealed class RunWatch : IDisposable
{
    /// <summary>A report that comes this long after the end of its attempt is still told what became of the run. Microseconds.</summary>
    private const long Grace = 60_000_000;
    private readonly string _project;
    private readonly string _run;
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);
    private readonly ReadRunState _read;
    private readonly Database _database;
    private readonly TimeProvider _clock;
    private readonly Lock _gate = new();
    private IDisposable? _listening;
    private State _state = new(null, 0);
    private long _touched = 1;
    private int _followers;
    private volatile bool _retired;

    public RunWatch(string project, string run, ReadRunState read, Database database, TimeProvider clock)
    {
        (_project, _run, _read, _database, _clock) = (project, run, read, database, clock);
        _listening = database.Changes.Mark(run, Touched, WatchedRow.Run(project, run));
    }

    public long UsedAt { get; set; }

    public bool IsRetired => _retired;

    /// <summary>While something open rests on it, it is read as soon as the run is touched, and not forgotten.</summary>
    public IDisposable Follow()
    {
        lock (_gate)
        {
            _followers++;
            _listening ??= _database.Changes.Mark(_run, Touched, WatchedRow.Run(_project, _run));
        }
        // It may have been touched before anybody followed it.
        var stale = Volatile.Read(ref _touched) > Volatile.Read(ref _state).AsOf;
        if (_retired || stale) _ = Task.Run(ReadForFollowersAsync);
        return new Following(this);
    }

    /// <summary>Gives up listening; false while something follows it.</summary>
    public bool TryRetire()
    {
        lock (_gate)
        {
            if (_followers > 0) return false;
            _retired = true;
            _listening?.Dispose();
            _listening = null;
            return true;
        }
    }

    /// <summary>Whether an attempt still has the run; or lost it less than <see cref="Grace"/> ago, and is to be told that.</summary>
    public bool Has(long attempt, LateWorker late, long now)
    {
        if (Volatile.Read(ref _state).Run is not { } run || attempt > run.Attempt) return false;
        if (attempt < run.Attempt) return late == LateWorker.Told && now - run.AttemptAt <= Grace;
        return run.EndedAt is not { } ended || (late != LateWorker.Refused && now - ended <= Grace);
    }

    public async ValueTask EnsureFreshAsync()
    {
        // Nobody may have been told of a touch.
        if (_retired) Interlocked.Increment(ref _touched);
        while (Volatile.Read(ref _touched) is var touched && Volatile.Read(ref _state) is var known && touched > known.AsOf)
        {
            var fresh = new State(await _read(_project, _run), touched);
            // What was read under a later touch stands.
            while (fresh.AsOf > known.AsOf && Interlocked.CompareExchange(ref _state, fresh, known) != known) known = Volatile.Read(ref _state);
        }
    }

    public void Dispose() => TryRetire();

    private void Unfollow()
    {
        lock (_gate)
        {
            if (--_followers > 0 || !_retired) return;
            _listening?.Dispose();
            _listening = null;
        }
    }

    private void Touched()
    {
        Interlocked.Increment(ref _touched);
        // Not on the thread that tells: it may be the one that commits.
        if (Volatile.Read(ref _followers) > 0) _ = Task.Run(ReadForFollowersAsync);
    }

    /// <summary>While the database is away it is tried again each second, as long as something follows it.</summary>
    private async Task ReadForFollowersAsync()
    {
        while (Volatile.Read(ref _followers) > 0)
        {
            try
            {
                await EnsureFreshAsync();
                return;
            }
            catch (StorageUnavailableException)
            {
                await Task.Delay(Rest, _clock);
            }
        }
    }

    /// <param name="Run">Null: there is no such run.</param>
    /// <param name="AsOf">The touch under which it was read.</param>
    private sealed record State(RunState? Run, long AsOf);

    private sealed class Following(RunWatch watch) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0) watch.Unfollow();
        }
    }
}

/// <summary>How a door answers a worker whose attempt has just lost its run. It does nothing for it in any case.</summary>
internal enum LateWorker
{
    /// <summary>Like one without a credential.</summary>
    Refused,

    /// <summary>It is told what ended its run; an attempt that was superseded is refused.</summary>
    ToldTheEnd,

    /// <summary>Its report is answered with what became of the run, or that another attempt has it.</summary>
    Told,
}
