using System.Data.Common;
using Postern.Storage;

namespace Postern.Support;

/// <summary>
/// A database that fails once, at a chosen statement of its next write, as after a broken disk or a lost connection in
/// the middle of a transaction.
/// </summary>
internal sealed class FaultyDatabase(Database inner) : Database
{
    private int _failAt;
    private string? _marker;

    /// <summary>How many statements the last write with the marker has run.</summary>
    public int Steps { get; private set; }

    public override Task<long> FollowClockAsync(CancellationToken cancel) => inner.FollowClockAsync(cancel);

    public override long Now => inner.Now;

    public override bool IsEmbedded => inner.IsEmbedded;

    public override string Kind => inner.Kind;

    public override Changes Changes => inner.Changes;

    public override Tally Tally => inner.Tally;

    public override WriteHealth Writes => inner.Writes;

    /// <summary>
    /// Chooses the next write with <paramref name="marker"/> among its values: it fails before its statement of this
    /// number (from 1). A number past the last fails nothing.
    /// </summary>
    public void FailAt(int step, string marker) => (_failAt, _marker, Steps) = (step, marker, 0);

    public override Task<T> WriteAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default) =>
        inner.WriteAsync(
            async tx =>
            {
                var faulty = new FaultyTx(tx, this);
                var result = await command(faulty);
                foreach (var topic in faulty.NotifiedTopics)
                    tx.Notify(topic);
                return result;
            },
            cancel
        );

    public override Task<T> WriteOneAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default) =>
        inner.WriteOneAsync(command, cancel);

    public override ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> query, CancellationToken cancel = default) =>
        inner.ReadAsync(query, cancel);

    public override ValueTask<T> SearchAsync<T>(Func<Tx, ValueTask<T>> query) => inner.SearchAsync(query);

    public override ValueTask DisposeAsync() => inner.DisposeAsync();

    private sealed class FaultyTx(Tx tx, FaultyDatabase owner) : Tx
    {
        private int _step;
        private bool _marked;

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
            Count(args);
            return tx.ExecuteAsync(sql, args);
        }

        public override ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
            where T : default
        {
            Count(args);
            return tx.FirstAsync(sql, map, args);
        }

        public override ValueTask<List<T>> ListUntilAsync<T>(
            string sql,
            Func<DbDataReader, T?> map,
            params object?[] args
        )
            where T : class
        {
            Count(args);
            return tx.ListUntilAsync(sql, map, args);
        }

        public override ValueTask<List<T>> ListAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
        {
            Count(args);
            return tx.ListAsync(sql, map, args);
        }

        public override void Queue(string sql, params object?[] args)
        {
            Count(args);
            tx.Queue(sql, args);
        }

        public override void QueueOne(Func<Exception> orElse, string sql, params object?[] args)
        {
            Count(args);
            tx.QueueOne(orElse, sql, args);
        }

        public override Ahead<T?> FirstAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
            where T : default
        {
            Count(args);
            return tx.FirstAhead(sql, map, args);
        }

        public override Ahead<List<T>> ListAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
        {
            Count(args);
            return tx.ListAhead(sql, map, args);
        }

        private void Count(object?[] args)
        {
            if (owner._marker is not { } marker)
                return;
            _marked |= args.Contains(marker);
            if (!_marked)
                return;
            _step++;
            owner.Steps = _step;
            if (_step == owner._failAt)
                throw new StorageUnavailableException("A fault that a test asked for.");
        }
    }
}
