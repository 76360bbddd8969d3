using System.Data.Common;
using Postern.Storage;

namespace Postern.Support;

/// <summary>
/// A database that holds back, once, the answer of a chosen read, as a slow network does, while other things happen. It
/// can also fail such reads.
/// </summary>
internal sealed class HeldDatabase(Database inner) : Database
{
    private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _marker;
    private string? _failing;

    public override Task<long> FollowClockAsync(CancellationToken cancel) => inner.FollowClockAsync(cancel);

    public override long Now => inner.Now;

    public override bool IsEmbedded => inner.IsEmbedded;

    public override string Kind => inner.Kind;

    public override Changes Changes => inner.Changes;

    public override Tally Tally => inner.Tally;

    public override WriteHealth Writes => inner.Writes;

    /// <summary>Completes when the read has its rows and is held back.</summary>
    public Task Held => _held.Task;

    /// <summary>Holds back the next read with a statement that contains this.</summary>
    public void Hold(string marker) => _marker = marker;

    /// <summary>Fails reads with a statement that contains this; null: none.</summary>
    public void Fail(string? marker) => _failing = marker;

    public void Release() => _released.TrySetResult();

    public override Task<T> WriteAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default) =>
        inner.WriteAsync(command, cancel);

    public override Task<T> WriteOneAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default) =>
        inner.WriteOneAsync(command, cancel);

    public override async ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> query, CancellationToken cancel = default)
    {
        var isMarked = false;
        var answer = await inner.ReadAsync(tx => query(new WatchedTx(tx, See)), cancel);
        if (!isMarked)
            return answer;
        _held.TrySetResult();
        await _released.Task;
        return answer;

        void See(string sql)
        {
            if (_failing is { } failing && sql.Contains(failing, StringComparison.Ordinal))
                throw new StorageUnavailableException("A fault that a test asked for.");
            if (_marker is not { } marker || !sql.Contains(marker, StringComparison.Ordinal))
                return;
            _marker = null;
            isMarked = true;
        }
    }

    public override ValueTask<T> SearchAsync<T>(Func<Tx, ValueTask<T>> query) => inner.SearchAsync(query);

    public override ValueTask DisposeAsync() => inner.DisposeAsync();

    private sealed class WatchedTx(Tx tx, Action<string> see) : Tx
    {
        public override bool WritesInQueries => tx.WritesInQueries;

        public override bool SendsAhead => tx.SendsAhead;

        public override string ForUpdate => tx.ForUpdate;

        public override string ForUpdateSkipLocked => tx.ForUpdateSkipLocked;

        public override string ForKeyShare => tx.ForKeyShare;

        public override string IsAnyOf(string column, string parameter) => tx.IsAnyOf(column, parameter);

        public override string HoldsAnyOf(string column, string parameter) => tx.HoldsAnyOf(column, parameter);

        public override string NextPosition(string project, string now) => tx.NextPosition(project, now);

        public override ValueTask<long> SettledAsync() => tx.SettledAsync();

        public override long Now => tx.Now;

        public override ValueTask<int> ExecuteAsync(string sql, params object?[] args)
        {
            see(sql);
            return tx.ExecuteAsync(sql, args);
        }

        public override ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
            where T : default
        {
            see(sql);
            return tx.FirstAsync(sql, map, args);
        }

        public override ValueTask<List<T>> ListAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
        {
            see(sql);
            return tx.ListAsync(sql, map, args);
        }

        public override ValueTask<List<T>> ListUntilAsync<T>(
            string sql,
            Func<DbDataReader, T?> map,
            params object?[] args
        )
            where T : class
        {
            see(sql);
            return tx.ListUntilAsync(sql, map, args);
        }

        public override void Queue(string sql, params object?[] args)
        {
            see(sql);
            tx.Queue(sql, args);
        }

        public override void QueueOne(Func<Exception> orElse, string sql, params object?[] args)
        {
            see(sql);
            tx.QueueOne(orElse, sql, args);
        }

        public override Ahead<T?> FirstAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
            where T : default
        {
            see(sql);
            return tx.FirstAhead(sql, map, args);
        }

        public override Ahead<List<T>> ListAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
        {
            see(sql);
            return tx.ListAhead(sql, map, args);
        }
    }
}
