using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <summary>
/// SQLite with group commit. One thread owns the only writing connection. It takes the waiting commands, runs them in
/// one transaction, commits them with one fsync, and then answers all of them. During a commit, the next batch gathers.
/// So batches grow with the load, and a single command waits for nobody. A batch first runs without savepoints. When
/// one command fails, everything is rolled back and run again with a savepoint for each command. Savepoints cost two
/// statements for each command, so only the batches that need them use them.
///
/// WAL and synchronous=FULL: an answered command survives a power cut. A command that throws spoils only itself. When
/// the commit itself fails, every command of the batch fails, and nothing of it was written; only when the disk failed
/// during the commit may it have been written, and the exception says so. A command waits at most
/// <see cref="SqliteWrite.Patience"/> for the writer, and a command whose caller has gone is not run. After a crash,
/// the next opening replays the WAL, which contains all answered commands.
/// </summary>
internal sealed partial class SqliteDatabase : Database
{
    private const int MaxBatch = 256;
    private const int MaxQueued = 10_000;
    private const string Failed = "The writer failed.";
    private static readonly TimeSpan BusyTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The most that the log keeps on disk after it was written back. The room that one large transaction took is
    /// freed.
    /// </summary>
    private const long MaxKeptLog = 64L * 1024 * 1024;

    private readonly string _connectionString;
    private readonly TimeProvider _wall;
    private readonly SteadyClock _clock;
    private long? _sinceBoot;
    private long _bootSeenAt;
    private readonly ConcurrentQueue<SqliteWrite> _queue = new();
    private readonly AutoResetEvent _arrived = new(false);
    private readonly SqliteConnectionCache _writing;
    private readonly SqliteFile _place;
    private readonly SqliteReaders _readers;
    private readonly Thread _writer;
    private readonly Timer _impatience;

    /// <summary>Whether a command runs on this thread. It runs here from its beginning to its end.</summary>
    [ThreadStatic]
    private static bool _inCommand;

    private readonly string _file;
    private int _queued;
    private int _writerSleeps;
    private volatile bool _closing;

    public SqliteDatabase(string file, TimeProvider clock)
    {
        _file = file;
        _wall = clock;
        _clock = new SteadyClock(clock);
        _sinceBoot = SteadyClock.SinceBoot();
        _bootSeenAt = clock.GetTimestamp();
        _clock.FollowWall(Microseconds(clock), 0);
        _connectionString = new SqliteConnectionStringBuilder
        {
            DataSource = file,
            Mode = SqliteOpenMode.ReadWrite,
            Pooling = false,
            // In addition to SQLite's own busy time, which each try waits for.
            DefaultTimeout = 1,
        }.ToString();
        _writing = Open();
        // SQLite keeps old pages while a statement runs that may fail halfway. In a file's journal it takes 64 KiB for
        // them, which the system gives and takes back with each statement.
        _writing.Execute("PRAGMA temp_store=MEMORY", []);
        _place = new SqliteFile(file, _writing.Connection);
        _readers = new SqliteReaders(Open);
        _writer = new Thread(WriteForEver) { Name = "sqlite writer", IsBackground = true };
        _writer.Start();
        _impatience = new Timer(_ => FailWhoWaitsTooLong(), null, PollInterval, PollInterval);
        StorageMeter.ObserveQueue(() => Volatile.Read(ref _queued));
    }

    public override long Now => _clock.Now;

    public override Task<long> FollowClockAsync(CancellationToken cancel)
    {
        var (sinceBoot, seenAt) = (SteadyClock.SinceBoot(), _wall.GetTimestamp());
        var slept = sinceBoot - _sinceBoot - (long)_wall.GetElapsedTime(_bootSeenAt, seenAt).TotalMicroseconds;
        (_sinceBoot, _bootSeenAt) = (sinceBoot, seenAt);
        return Task.FromResult(_clock.FollowWall(Microseconds(_wall), slept ?? 0));
    }

    public override string Kind => "sqlite";

    public override int QueuedWrites => Volatile.Read(ref _queued);

    public override bool IsEmbedded => true;

    /// <summary>The file with its log, and the free room on its disk.</summary>
    public override ValueTask<StorageRoom> RoomAsync()
    {
        var bytes = new[] { _file, _file + "-wal" }.Sum(name =>
            new FileInfo(name) is { Exists: true } one ? one.Length : 0
        );
        return new(new StorageRoom(bytes, new DriveInfo(Path.GetFullPath(_file)).AvailableFreeSpace));
    }

    /// <summary>The machine's clock, which anybody may set. It is used at the start, and for comparison.</summary>
    internal static long Microseconds(TimeProvider clock) =>
#pragma warning disable RS0030 // The one place where the wall clock is read.
        (clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
#pragma warning restore RS0030

    /// <summary>A single statement needs no special way here: it is a command of a batch like any other.</summary>
    public override Task<T> WriteOneAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default) =>
        WriteAsync(command, cancel);

    public override Task<T> WriteAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default) =>
        StorageMeter.Source.HasListeners() ? TracedAsync(command, cancel) : EnqueueAsync(command, cancel);

    private async Task<T> TracedAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel)
    {
        using var span = StorageMeter.Source.StartActivity("postern.store.write");
        return await EnqueueAsync(command, cancel);
    }

    private Task<T> EnqueueAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel)
    {
        RefuseInsideCommand();
        if (_closing || Interlocked.Increment(ref _queued) > MaxQueued)
        {
            if (!_closing)
                Interlocked.Decrement(ref _queued);
            return Task.FromException<T>(
                new StorageBusyException("More writes wait for the disk than the server queues.")
            );
        }
        var write = new SqliteWrite<T>(command, this, StorageUse.Current, cancel);
        Enqueue(write);
        return write.Task;
    }

    private void Enqueue(SqliteWrite write)
    {
        _queue.Enqueue(write);
        if (Interlocked.Exchange(ref _writerSleeps, 0) == 1)
            _arrived.Set();
    }

    /// <summary>A command that was taken before and goes through the queue once more.</summary>
    internal void EnqueueAgain(SqliteWrite write)
    {
        if (_closing)
            throw new StorageUnavailableException("The server is stopping.");
        Interlocked.Increment(ref _queued);
        Enqueue(write);
    }

    public override ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> query, CancellationToken cancel = default)
    {
        RefuseInsideCommand();
        return _readers.RunAsync(connection => RunToEnd(query, new SqliteTx(connection, this)), cancel);
    }

    public override ValueTask<T> SearchAsync<T>(Func<Tx, ValueTask<T>> query)
    {
        RefuseInsideCommand();
        return _readers.SearchAsync(connection => RunToEnd(query, new SqliteTx(connection, this)));
    }

    public override async ValueTask DisposeAsync()
    {
        _closing = true;
        _arrived.Set();
        await Task.Run(_writer.Join);
        await _impatience.DisposeAsync();
        _arrived.Dispose();
        _writing.Dispose();
        _readers.Dispose();
    }

    private SqliteConnectionCache Open()
    {
        var cache = new SqliteConnectionCache(_connectionString);
        cache.Execute($"PRAGMA busy_timeout={BusyTime.TotalMilliseconds}", []);
        cache.Execute("PRAGMA journal_mode=WAL", []);
        cache.Execute("PRAGMA synchronous=FULL", []);
        cache.Execute("PRAGMA cache_size=-16000", []);
        cache.Execute($"PRAGMA journal_size_limit={MaxKeptLog}", []);
        // A checkpoint for every 4 MiB of WAL. A checkpoint stops the writer. Four times as much made it four times
        // rarer and its pause longer, and the slowest hundredth of the requests then waits for that pause.
        cache.Execute("PRAGMA wal_autocheckpoint=1000", []);
        return cache;
    }

    private void WriteForEver()
    {
        var batch = new List<SqliteWrite>(MaxBatch);
        while (WaitForWork())
        {
            batch.Clear();
            try
            {
                WriteBatch(batch);
            }
            catch (Exception fault)
            {
                // This thread goes on after any fault, because it is the only one that writes.
                FailAll(batch, fault, new StorageOutcomeUnknownException(Failed, fault));
            }
        }
    }

    /// <summary>
    /// The writer is held up. Commands that have waited long enough fail now, without waiting for the writer. A file
    /// that is gone is noticed here too, since nobody may write for a while.
    /// </summary>
    private void FailWhoWaitsTooLong()
    {
        if (!File.Exists(_file))
            Writes.Failed();
        foreach (var write in _queue)
        {
            if (!write.HasWaitedTooLong)
                return;
            if (write.Refuse(new StorageBusyException("The writes before this one took too long.")))
                Writes.Failed();
        }
    }

    /// <summary>Sleeps without spinning: on few cores, a spinning writer takes time from the requests.</summary>
    private bool WaitForWork()
    {
        while (_queue.IsEmpty)
        {
            if (_closing)
                return false;
            Volatile.Write(ref _writerSleeps, 1);
            Interlocked.MemoryBarrier();
            if (_queue.IsEmpty && !_closing)
                _arrived.WaitOne();
            Volatile.Write(ref _writerSleeps, 0);
        }
        return true;
    }

    private bool TryTake([MaybeNullWhen(false)] out SqliteWrite write)
    {
        if (!_queue.TryDequeue(out write))
            return false;
        Interlocked.Decrement(ref _queued);
        return true;
    }

    internal static T RunToEnd<T>(Func<Tx, ValueTask<T>> command, SqliteTx tx)
    {
        _inCommand = true;
        try
        {
            var running = command(tx);
            return running.IsCompleted
                ? running.GetAwaiter().GetResult()
                : throw new InvalidOperationException(
                    "A storage command awaited something other than its transaction."
                );
        }
        finally
        {
            _inCommand = false;
        }
    }

    /// <summary>
    /// A read inside a read would need a second connection. In a test there is one, under load there may be none. So it
    /// is always refused.
    /// </summary>
    private static void RefuseInsideCommand()
    {
        if (_inCommand)
            throw new InvalidOperationException("A storage command asked the database beside its transaction.");
    }
}
