using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// One run that is watched: its state, and whether something has touched it since that was read. Whoever still holds
/// one that was retired is told nothing wrong: it is read each time it is asked, and listens again while something
/// follows it.
/// </summary>
internal sealed class RunWatch : IDisposable
{
    /// <summary>
    /// A report that comes this long after the end of its attempt is still told what became of the run. Microseconds.
    /// </summary>
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

    /// <summary>
    /// While something open rests on it, it is read as soon as the run is touched, and not forgotten.
    /// </summary>
    public IDisposable Follow()
    {
        lock (_gate)
        {
            _followers++;
            _listening ??= _database.Changes.Mark(_run, Touched, WatchedRow.Run(_project, _run));
        }
        // It may have been touched before anybody followed it.
        var stale = Volatile.Read(ref _touched) > Volatile.Read(ref _state).AsOf;
        if (_retired || stale)
            _ = Task.Run(ReadForFollowersAsync);
        return new Following(this);
    }

    /// <summary>Gives up listening; false while something follows it.</summary>
    public bool TryRetire()
    {
        lock (_gate)
        {
            if (_followers > 0)
                return false;
            _retired = true;
            _listening?.Dispose();
            _listening = null;
            return true;
        }
    }

    /// <summary>
    /// Whether an attempt still has the run; or lost it less than <see cref="Grace"/> ago, and is to be told that.
    /// </summary>
    public bool Has(long attempt, LateWorker late, long now)
    {
        if (Volatile.Read(ref _state).Run is not { } run || attempt > run.Attempt)
            return false;
        if (attempt < run.Attempt)
            return late == LateWorker.Told && now - run.AttemptAt <= Grace;
        return run.EndedAt is not { } ended || (late != LateWorker.Refused && now - ended <= Grace);
    }

    public async ValueTask EnsureFreshAsync()
    {
        // Nobody may have been told of a touch.
        if (_retired)
            Interlocked.Increment(ref _touched);
        while (
            Volatile.Read(ref _touched) is var touched && Volatile.Read(ref _state) is var known && touched > known.AsOf
        )
        {
            var fresh = new State(await _read(_project, _run), touched);
            // What was read under a later touch stands.
            while (fresh.AsOf > known.AsOf && Interlocked.CompareExchange(ref _state, fresh, known) != known)
                known = Volatile.Read(ref _state);
        }
    }

    public void Dispose() => TryRetire();

    private void Unfollow()
    {
        lock (_gate)
        {
            if (--_followers > 0 || !_retired)
                return;
            _listening?.Dispose();
            _listening = null;
        }
    }

    private void Touched()
    {
        Interlocked.Increment(ref _touched);
        // Not on the thread that tells: it may be the one that commits.
        if (Volatile.Read(ref _followers) > 0)
            _ = Task.Run(ReadForFollowersAsync);
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
            if (Interlocked.Exchange(ref _left, 1) == 0)
                watch.Unfollow();
        }
    }
}
