using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <summary>
/// SQLite with group commit. One thread owns the only writing connection: it takes the commands that wait, runs them in
/// one transaction, commits them with one fsync and then answers them all. While a commit is on its way to the disk the
/// next batch gathers, so the batch grows with the load and a lone command waits for nobody. A batch is first run as if
/// none of it could fail; when one does, all is rolled back and run again with a savepoint for each (which costs two
/// statements a command, always, if it is not left for the batches that need it).
///
/// What always holds: WAL and synchronous=FULL, so an answered command survives a power cut; a command that throws
/// spoils only itself. When the commit itself fails every command of the batch fails; nothing of it is there unless the
/// disk failed under the commit, which then says so. A command waits <see cref="SqliteWrite.Patience"/> for the writer
/// at most, and none is run whose caller has gone. On a crash the WAL is replayed by the next opening: answered
/// commands are in it.
/// </summary>
internal sealed partial class SqliteDatabase : Database
{
    private const int MaxBatch = 256;
    private const int MaxQueued = 10_000;
    private const string Failed = "The writer failed.";
    private static readonly TimeSpan BusyTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The most that the log keeps on the disk once it has been written back: what one large transaction made of it
    /// goes.
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
    private readonly SqliteReaders _readers;
    private readonly Thread _writer;
    private readonly Timer _impatience;

    /// <summary>Whether a command runs on this thread, which it does from its beginning to its end.</summary>
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
            // Beside SQLite's own busy time, which is waited for within each try.
            DefaultTimeout = 1,
        }.ToString();
        _writing = Open();
        _readers = new SqliteReaders(Open);
        _writer = new Thread(WriteForEver) { Name = "sqlite writer", IsBackground = true };
        _writer.Start();
        _impatience = new Timer(_ => FailWhoWaitsTooLong(), null, LookEvery, LookEvery);
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

    /// <summary>The file with its log, and what is free where it is.</summary>
    public override ValueTask<StorageRoom> RoomAsync()
    {
        var bytes = new[] { _file, _file + "-wal" }.Sum(name =>
            new FileInfo(name) is { Exists: true } one ? one.Length : 0
        );
        return new(new StorageRoom(bytes, new DriveInfo(Path.GetFullPath(_file)).AvailableFreeSpace));
    }

    /// <summary>The machine's own clock, which anybody may set: for starting with, and for comparing.</summary>
    internal static long Microseconds(TimeProvider clock) =>
#pragma warning disable RS0030 // The one place where the wall clock is read.
        (clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
#pragma warning restore RS0030

    /// <summary>One statement or many are the same here: a command among those of its batch.</summary>
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

    /// <summary>A command that was taken already, and that goes through the queue once more.</summary>
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
        // 4 MiB of WAL between two checkpoints. A checkpoint holds up the writer: four times as much made it rarer by
        // that and its pause longer, which is what the slowest hundredth of the requests then waits for.
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
                // Whatever it is, this thread goes on: it is the only one that writes.
                FailAll(batch, fault, new StorageOutcomeUnknownException(Failed, fault));
            }
        }
    }

    /// <summary>The writer is held up: whoever has waited long enough is told, without waiting for it.</summary>
    private void FailWhoWaitsTooLong()
    {
        foreach (var write in _queue)
        {
            if (!write.HasWaitedTooLong)
                return;
            if (write.Refuse(new StorageBusyException("The writes before this one took too long.")))
                Writes.Failed();
        }
    }

    /// <summary>
    /// Sleeps without spinning: with few cores, what the writer burns while it waits is taken from the requests.
    /// </summary>
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
    /// A read inside a read would take a second connection, which is there in a test and not under load: it is refused
    /// always.
    /// </summary>
    private static void RefuseInsideCommand()
    {
        if (_inCommand)
            throw new InvalidOperationException("A storage command asked the database beside its transaction.");
    }
}
