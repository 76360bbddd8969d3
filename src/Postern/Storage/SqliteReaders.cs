using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <summary>
/// The reading connections. Requests, loops and vital work each have places of their own, so that none waits for
/// another; half of the places for requests may be searches. Waiting for a place and reading both have a time limit.
/// </summary>
internal sealed class SqliteReaders(Func<SqliteConnectionCache> open) : IDisposable
{
    private const int ForRequests = 4;
    private const int ForLoops = 2;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ReadTime = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan SearchTime = TimeSpan.FromSeconds(3);

    private readonly SemaphoreSlim _requests = new(ForRequests, ForRequests);
    private readonly SemaphoreSlim _loops = new(ForLoops, ForLoops);
    private readonly SemaphoreSlim _vital = new(1, 1);
    private readonly SemaphoreSlim _searches = new(ForRequests / 2, ForRequests / 2);
    private readonly ConcurrentBag<SqliteConnectionCache> _idle = [];

    public ValueTask<T> RunAsync<T>(Func<SqliteConnectionCache, T> read, CancellationToken cancel) =>
        RunAsync(read, ReadTime, cancel);

    public async ValueTask<T> SearchAsync<T>(Func<SqliteConnectionCache, T> read)
    {
        var gone = StorageUse.Current.Gone;
        await EnterAsync(_searches, gone);
        try
        {
            return await RunAsync(read, SearchTime, gone);
        }
        finally
        {
            _searches.Release();
        }
    }

    public void Dispose()
    {
        foreach (var reader in _idle)
            reader.Dispose();
        _requests.Dispose();
        _loops.Dispose();
        _vital.Dispose();
        _searches.Dispose();
    }

    private static async Task EnterAsync(SemaphoreSlim places, CancellationToken cancel)
    {
        if (!await places.WaitAsync(Patience, cancel))
            throw new StorageBusyException("The reads before this one took too long.");
    }

    private async ValueTask<T> RunAsync<T>(Func<SqliteConnectionCache, T> read, TimeSpan time, CancellationToken cancel)
    {
        var places = StorageUse.Current.Asker switch
        {
            Asker.Request => _requests,
            Asker.Vital => _vital,
            _ => _loops,
        };
        await EnterAsync(places, cancel);
        SqliteConnectionCache? reader = null;
        try
        {
            // Opened here, so that a connection that cannot be opened takes no place.
            reader = _idle.TryTake(out var idle) ? idle : open();
            using (reader.Within(time, cancel))
                return read(reader);
        }
        catch (SqliteException fault) when (fault.SqliteErrorCode == SqliteConnectionCache.Interrupted)
        {
            cancel.ThrowIfCancellationRequested();
            throw new StorageBusyException("The read took too long.", fault);
        }
        catch (SqliteException fault)
        {
            throw SqliteFaults.Translate(fault);
        }
        finally
        {
            if (reader is not null)
                _idle.Add(reader);
            places.Release();
        }
    }
}
