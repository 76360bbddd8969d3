using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// A watched run: its state, and whether it has changed since it was read. An object that was removed from the cache
/// still answers rightly: it reads on each question, and listens again while a stream follows it.
/// </summary>
internal sealed class RunWatch : IDisposable
{
    /// <summary>
    /// For this long after the end of its attempt, a report is still told the outcome of the run. Microseconds.
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

    /// <summary>While a stream depends on it, it is read as soon as the run changes, and not forgotten.</summary>
    public IDisposable Follow()
    {
        lock (_gate)
        {
            _followers++;
            _listening ??= _database.Changes.Mark(_run, Touched, WatchedRow.Run(_project, _run));
        }
        // The run may have changed before anybody followed it.
        var stale = Volatile.Read(ref _touched) > Volatile.Read(ref _state).AsOf;
        if (_retired || stale)
            _ = Task.Run(ReadForFollowersAsync);
        return new Following(this);
    }

    /// <summary>Stops listening. Returns false while a stream follows it.</summary>
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
    /// Returns whether an attempt still has the run, or lost it less than <see cref="Grace"/> ago and must be told.
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
        // A change may have been announced to nobody.
        if (_retired)
            Interlocked.Increment(ref _touched);
        while (
            Volatile.Read(ref _touched) is var touched && Volatile.Read(ref _state) is var known && touched > known.AsOf
        )
        {
            var fresh = new State(await _read(_project, _run), touched);
            // A state that was read after a later change stays.
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
        // Not on the announcing thread, which may be the one that commits.
        if (Volatile.Read(ref _followers) > 0)
            _ = Task.Run(ReadForFollowersAsync);
    }

    /// <summary>
    /// While the database cannot be reached, it tries again each second, as long as a stream follows it.
    /// </summary>
    private async Task ReadForFollowersAsync()
    {
        for (var tries = 0; Volatile.Read(ref _followers) > 0; tries++)
        {
            try
            {
                await EnsureFreshAsync();
                return;
            }
            catch (Exception fault)
            {
                // Any fault ends here: open requests must not outlive their run because of it.
                if (tries == 0)
                    AccessLog.RunUnread(_database.Changes.Log, _run, fault);
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
