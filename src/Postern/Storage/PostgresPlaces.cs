using System.Diagnostics;
using Npgsql;

namespace Postern.Storage;

/// <summary>
/// Decides who gets a connection. Of a node's connections, a few are reserved for vital work
/// (<see cref="Asker.Vital"/>, the relay). Of the rest, requests take at most three quarters, and so do the loops, so
/// neither can take everything. Writers about one subject (a session with all its names, and its run) take a quarter of
/// the places for requests. So a row that somebody holds costs only those who want that row.
/// </summary>
internal sealed class PostgresPlaces : IAsyncDisposable
{
    /// <summary>Connections reserved for vital work, of all that the connection string allows.</summary>
    public const int Own = 4;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _requests;
    private readonly SemaphoreSlim _loops;
    private readonly SemaphoreSlim _searches;
    private readonly int _perSubject;
    private readonly Dictionary<string, Lane> _lanes = new(StringComparer.Ordinal);
    private readonly NpgsqlDataSource _shared;

    public PostgresPlaces(NpgsqlConnectionStringBuilder settings)
    {
        var all = Math.Max(settings.MaxPoolSize, Own + 2);
        var shared = all - Own;
        var most = Math.Max(1, shared * 3 / 4);
        (_requests, _loops) = (new SemaphoreSlim(most, most), new SemaphoreSlim(most, most));
        var searches = Math.Max(1, most / 2);
        _searches = new SemaphoreSlim(searches, searches);
        _perSubject = Math.Max(1, most / 4);
        _shared = SourceOf(settings, shared);
        Vital = SourceOf(settings, Own);
    }

    /// <summary>Places for vital work.</summary>
    public NpgsqlDataSource Vital { get; }

    /// <summary>Number of subjects that are written about now.</summary>
    internal int Lanes
    {
        get
        {
            lock (_lanes)
                return _lanes.Count;
        }
    }

    /// <summary>Takes a connection of the asker's share. It is released when it is disposed.</summary>
    /// <param name="writes">Whether rows may be locked.</param>
    /// <param name="cancel">Ends the waiting.</param>
    /// <exception cref="StorageBusyException">None became free in time.</exception>
    public async Task<PostgresPlace> TakeAsync(bool writes, CancellationToken cancel)
    {
        var use = StorageUse.Current;
        var place = new PostgresPlace();
        try
        {
            if (writes && use is { Asker: Asker.Request, Subject: { } subject })
                place.LeaveSubject = await EnterLaneAsync(subject, place, cancel);
            if (use.Asker != Asker.Vital)
                place.LeaveAskers = await EnterAsync(use.Asker == Asker.Request ? _requests : _loops, cancel);
            place.Connection = await (use.Asker == Asker.Vital ? Vital : _shared).OpenConnectionAsync(cancel);
            return place;
        }
        catch (Exception)
        {
            await place.DisposeAsync();
            throw;
        }
    }

    /// <summary>Takes a place among the searches, in addition to the connection.</summary>
    public Task<Action> EnterSearchAsync(CancellationToken cancel) => EnterAsync(_searches, cancel);

    public async ValueTask DisposeAsync()
    {
        await _shared.DisposeAsync();
        await Vital.DisposeAsync();
        // The semaphores hold nothing, and running commands still release their places.
    }

    private static NpgsqlDataSource SourceOf(NpgsqlConnectionStringBuilder settings, int size)
    {
        var mine = new NpgsqlConnectionStringBuilder(settings.ToString()) { MaxPoolSize = size };
        mine.MinPoolSize = Math.Min(mine.MinPoolSize, size);
        return PostgresConnection.Open(mine);
    }

    private static async Task<Action> EnterAsync(SemaphoreSlim places, CancellationToken cancel)
    {
        if (!await places.WaitAsync(Patience, cancel))
            throw new StorageBusyException("All connections to the database are in use.");
        return () => places.Release();
    }

    private async Task<Action> EnterLaneAsync(string subject, PostgresPlace place, CancellationToken cancel)
    {
        Lane? lane;
        lock (_lanes)
        {
            if (!_lanes.TryGetValue(subject, out lane))
                _lanes[subject] = lane = new Lane(_perSubject);
            lane.Users++;
        }
        try
        {
            await lane.EnterAsync(cancel);
        }
        catch (Exception)
        {
            Leave();
            throw;
        }
        return () =>
        {
            lane.Exit(place.MetHeldRow);
            Leave();
        };

        void Leave()
        {
            lock (_lanes)
            {
                if (--lane.Users > 0)
                    return;
                _lanes.Remove(subject);
            }
            lane.Dispose();
        }
    }

    /// <summary>The writers about one subject.</summary>
    private sealed class Lane(int places) : IDisposable
    {
        private readonly SemaphoreSlim _places = new(places, places);
        private long _wentOn = Stopwatch.GetTimestamp();

        /// <summary>The writers inside and those who wait. Guarded by the lock of all lanes.</summary>
        public int Users { get; set; }

        /// <summary>
        /// Waits while earlier writers come through: a crowd is served in order; when the row is held, the wait is
        /// given up.
        /// </summary>
        public async Task EnterAsync(CancellationToken cancel)
        {
            var began = Stopwatch.GetTimestamp();
            while (!await _places.WaitAsync(PostgresDatabase.LockTime, cancel))
            {
                var isHeld = Stopwatch.GetElapsedTime(Interlocked.Read(ref _wentOn)) >= PostgresDatabase.LockTime;
                if (isHeld || Stopwatch.GetElapsedTime(began) >= Patience)
                    throw new StorageBusyException("Other writers about the same subject are before this one.");
            }
        }

        public void Exit(bool metHeldRow)
        {
            if (!metHeldRow)
                Interlocked.Exchange(ref _wentOn, Stopwatch.GetTimestamp());
            _places.Release();
        }

        public void Dispose() => _places.Dispose();
    }
}
