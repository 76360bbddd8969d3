using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <summary>
/// SQLite with group commit. One thread owns the only writing connection: it takes the commands that wait, runs them in one
/// transaction, commits them with one fsync and then answers them all. While a commit is on its way to the disk the next batch
/// gathers, so the batch grows with the load and a lone command waits for nobody. A batch is first run as if none of it could fail;
/// when one does, all is rolled back and run again with a savepoint for each (which costs two statements a command, always, if it
/// is not left for the batches that need it).
///
/// What always holds: WAL and synchronous=FULL, so an answered command survives a power cut; a command that throws spoils only
/// itself. When the commit itself fails every command of the batch fails and nothing
/// of it is there. On a crash the WAL is replayed by the next opening: answered commands are in it.
/// </summary>
internal sealed class SqliteDatabase : Database
{
    private const int MaxBatch = 256;
    private const int MaxQueued = 10_000;
    private const int Readers = 4;

    private readonly string _connectionString;
    private readonly TimeProvider _clock;
    private readonly ConcurrentQueue<Pending> _queue = new();
    private readonly AutoResetEvent _arrived = new(false);
    private readonly SqliteConnectionCache _writing;
    private readonly ConcurrentBag<SqliteConnectionCache> _readers = [];
    private readonly SemaphoreSlim _readerSlots = new(Readers, Readers);
    private readonly Thread _writer;
    /// <summary>Whether a command runs on this thread, which it does from its beginning to its end.</summary>
    [ThreadStatic]
    private static bool _inCommand;

    private int _queued;
    private int _writerSleeps;
    private volatile bool _closing;

    public SqliteDatabase(string file, TimeProvider clock)
    {
        _clock = clock;
        _connectionString = new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadWrite, Pooling = false, DefaultTimeout = 30 }.ToString();
        _writing = Open();
        _writer = new Thread(WriteForEver) { Name = "sqlite writer", IsBackground = true };
        _writer.Start();
        StorageMeter.ObserveQueue(() => Volatile.Read(ref _queued));
    }

    public override long Now => Microseconds(_clock);

    public override string Kind => "sqlite";

    internal static long Microseconds(TimeProvider clock) => (clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>One statement or many are the same here: a command among those of its batch.</summary>
    public override Task<T> WriteOneAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default) => WriteAsync(command, cancel);

    public override Task<T> WriteAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default) =>
        StorageMeter.Source.HasListeners() ? TracedAsync(command) : EnqueueAsync(command);

    private async Task<T> TracedAsync<T>(Func<Tx, ValueTask<T>> command)
    {
        using var span = StorageMeter.Source.StartActivity("postern.store.write");
        return await EnqueueAsync(command);
    }

    private Task<T> EnqueueAsync<T>(Func<Tx, ValueTask<T>> command)
    {
        RefuseInsideCommand();
        if (_closing || Interlocked.Increment(ref _queued) > MaxQueued)
        {
            if (!_closing) Interlocked.Decrement(ref _queued);
            return Task.FromException<T>(new StorageUnavailableException("More writes wait for the disk than the server queues. Try again."));
        }
        var pending = new Pending<T>(command, this);
        Enqueue(pending);
        return pending.Task;
    }

    private void Enqueue(Pending pending)
    {
        _queue.Enqueue(pending);
        if (Interlocked.Exchange(ref _writerSleeps, 0) == 1) _arrived.Set();
    }

    /// <summary>A command that was taken already, and that goes through the queue once more.</summary>
    private void EnqueueAgain(Pending pending)
    {
        if (_closing) throw new StorageUnavailableException("The server is stopping.");
        Interlocked.Increment(ref _queued);
        Enqueue(pending);
    }

    public override async ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> query, CancellationToken cancel = default)
    {
        RefuseInsideCommand();
        await _readerSlots.WaitAsync(cancel);
        var reader = _readers.TryTake(out var idle) ? idle : Open();
        try
        {
            return RunToEnd(query, new SqliteTx(reader, this));
        }
        finally
        {
            _readers.Add(reader);
            _readerSlots.Release();
        }
    }

    public override async ValueTask DisposeAsync()
    {
        _closing = true;
        _arrived.Set();
        await Task.Run(_writer.Join);
        _arrived.Dispose();
        _writing.Dispose();
        foreach (var reader in _readers) reader.Dispose();
        _readerSlots.Dispose();
    }

    private SqliteConnectionCache Open()
    {
        var cache = new SqliteConnectionCache(_connectionString);
        cache.Execute("PRAGMA journal_mode=WAL", []);
        cache.Execute("PRAGMA synchronous=FULL", []);
        cache.Execute("PRAGMA busy_timeout=30000", []);
        cache.Execute("PRAGMA cache_size=-16000", []);
        // 4 MiB of WAL between two checkpoints. A checkpoint holds up the writer: four times as much made it rarer by that and its pause
        // longer, which is what the slowest hundredth of the requests then waits for.
        cache.Execute("PRAGMA wal_autocheckpoint=1000", []);
        return cache;
    }

    private void WriteForEver()
    {
        var batch = new List<Pending>(MaxBatch);
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
                StorageLog.WriterFailed(Changes.Log, batch.Count, fault);
            }
        }
    }

    private void WriteBatch(List<Pending> batch)
    {
        var began = Stopwatch.GetTimestamp();
        SqliteTx tx;
        try
        {
            _writing.Execute("BEGIN IMMEDIATE", []);
            while (batch.Count < MaxBatch && TryTake(out var pending)) batch.Add(pending);
            tx = RunAll(batch);
            _writing.Execute("COMMIT", []);
        }
        catch (Exception fault)
        {
            RollBack();
            if (fault is not SqliteException) StorageLog.WriterFailed(Changes.Log, batch.Count, fault);
            var told = fault is SqliteException sqlite ? Translate(sqlite) : fault;
            foreach (var pending in batch) pending.Fail(told);
            if (batch.Count == 0 && TryTake(out var waiting)) waiting.Fail(told);
            return;
        }
        // It is committed: first the answers, then whoever wants to know, and none of them on this thread.
        Changes.Marked(tx.Touched);
        Answer(batch);
        Changes.Committed(tx.Touched);
        StorageMeter.Committed(batch.Count, Stopwatch.GetElapsedTime(began));
    }

    /// <summary>Sleeps without spinning: with few cores, what the writer burns while it waits is taken from the requests.</summary>
    private bool WaitForWork()
    {
        while (_queue.IsEmpty)
        {
            if (_closing) return false;
            Volatile.Write(ref _writerSleeps, 1);
            Interlocked.MemoryBarrier();
            if (_queue.IsEmpty && !_closing) _arrived.WaitOne();
            Volatile.Write(ref _writerSleeps, 0);
        }
        return true;
    }

    private bool TryTake([MaybeNullWhen(false)] out Pending pending)
    {
        if (!_queue.TryDequeue(out pending)) return false;
        Interlocked.Decrement(ref _queued);
        return true;
    }

    /// <summary>The answers of a batch go on in one work item, one after another: they are short, and a work item each costs more than they do.</summary>
    private static void Answer(List<Pending> batch)
    {
        var answered = batch.ToArray();
        ThreadPool.UnsafeQueueUserWorkItem(static pendings =>
        {
            foreach (var pending in pendings) pending.Answer();
        }, answered, preferLocal: false);
    }

    private SqliteTx RunAll(List<Pending> batch)
    {
        var tx = new SqliteTx(_writing, this);
        try
        {
            foreach (var pending in batch) pending.Run(tx);
            return tx;
        }
        catch (Exception)
        {
            // One of them fails: again from the start, each in a savepoint.
            RollBack();
            _writing.Execute("BEGIN IMMEDIATE", []);
            tx = new SqliteTx(_writing, this);
            foreach (var pending in batch) RunInSavepoint(pending, tx);
            return tx;
        }
    }

    private void RunInSavepoint(Pending pending, SqliteTx tx)
    {
        var touched = tx.TouchedCount;
        _writing.Execute("SAVEPOINT command", []);
        try
        {
            pending.Run(tx);
        }
        catch (Exception fault)
        {
            // A fault that ended the transaction (disk full, I/O error) leaves no savepoint: the statement below throws, and the batch fails.
            _writing.Execute("ROLLBACK TO command", []);
            tx.ForgetTouched(touched);
            tx.Memo.Clear();
            pending.Fault = fault is SqliteException sqlite ? Translate(sqlite) : fault;
        }
        _writing.Execute("RELEASE command", []);
    }

    private void RollBack()
    {
        try
        {
            _writing.Execute("ROLLBACK", []);
        }
        catch (Exception)
        {
            // SQLite has already ended the transaction: there is nothing to roll back.
        }
    }

    private static Exception Translate(SqliteException fault) =>
        fault.SqliteErrorCode is 5 or 6 or 8 or 10 or 13 or 14 // busy, locked, read-only, I/O error, disk full, cannot open
            ? new StorageUnavailableException("The database file cannot be written now.", fault)
            : fault;

    private static T RunToEnd<T>(Func<Tx, ValueTask<T>> command, SqliteTx tx)
    {
        _inCommand = true;
        try
        {
            var running = command(tx);
            return running.IsCompleted ? running.GetAwaiter().GetResult() : throw new InvalidOperationException("A storage command awaited something other than its transaction.");
        }
        finally
        {
            _inCommand = false;
        }
    }

    /// <summary>A read inside a read would take a second connection, which is there in a test and not under load: it is refused always.</summary>
    private static void RefuseInsideCommand()
    {
        if (_inCommand) throw new InvalidOperationException("A storage command asked the database beside its transaction.");
    }

    private abstract class Pending
    {
        public Exception? Fault { get; set; }

        public abstract void Run(SqliteTx tx);

        public abstract void Answer();

        public abstract void Fail(Exception fault);
    }

    private sealed class Pending<T>(Func<Tx, ValueTask<T>> command, SqliteDatabase database) : Pending
    {
        private readonly TaskCompletionSource<T> _answer = new();
        private DoneOutside? _outside;
        private T? _result;

        public Task<T> Task => _answer.Task;

        public override void Run(SqliteTx tx) => _result = RunToEnd(command, tx);

        public override void Answer()
        {
            if (Fault is OutsideFirstException outside)
            {
                _ = AgainAsync(outside);
                return;
            }
            if (Fault is null) _answer.TrySetResult(_result!);
            else _answer.TrySetException(Fault);
            if (_outside is not null) _ = _outside.DisposeAsync().AsTask();
        }

        /// <summary>Never on the writer's thread: what waits goes on elsewhere.</summary>
        public override void Fail(Exception fault) => ThreadPool.QueueUserWorkItem(_ =>
        {
            if (Fault is null or OutsideFirstException) Fault = fault;
            Answer();
        });

        private async Task AgainAsync(OutsideFirstException outside)
        {
            try
            {
                await (_outside ??= new DoneOutside(database.Changes)).DoAsync(outside);
                Fault = null;
                database.EnqueueAgain(this);
            }
            catch (Exception fault)
            {
                Fault = fault;
                Answer();
            }
        }
    }

    private sealed class SqliteTx(SqliteConnectionCache connection, SqliteDatabase database) : Tx
    {
        public override bool WritesInQueries => false;

        public override bool SendsAhead => false;

        public override string ForUpdate => "";

        public override string ForUpdateSkipLocked => "";

        public override string IsAnyOf(string column, string parameter) => $"{column} IN (SELECT value FROM json_each({parameter}))";

        public override string HoldsAnyOf(string column, string parameter) =>
            $"EXISTS (SELECT 1 FROM json_each({column}) AS held WHERE held.value IN (SELECT value FROM json_each({parameter})))";

        public override long Now => database.Now;

        public override ValueTask<int> ExecuteAsync(string sql, params object?[] args) => new(connection.Execute(sql, args));

        public override ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
            where T : default => new(connection.First(sql, map, args));

        public override ValueTask<List<T>> ListAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args) => new(connection.List(sql, map, args));

        public override ValueTask<List<T>> ListUntilAsync<T>(
            string sql, Func<DbDataReader, T?> map, params object?[] args)
            where T : class => new(connection.ListUntil(sql, map, args));
    }
}
