using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics;
using Postern.Storage;

namespace Postern.Support;

/// <summary>
/// A database that measures every command and query by rows, bytes and calls, which a busy machine does not change.
/// </summary>
internal sealed class MeasuringDatabase(Database inner) : Database
{
    public ConcurrentQueue<Work> Done { get; } = new();

    public override Task<long> FollowClockAsync(CancellationToken cancel) => inner.FollowClockAsync(cancel);

    public override long Now => inner.Now;

    public override bool IsEmbedded => inner.IsEmbedded;

    public override string Kind => inner.Kind;

    public override Changes Changes => inner.Changes;

    public override Tally Tally => inner.Tally;

    public override WriteHealth Writes => inner.Writes;

    public override Task<T> WriteAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default) =>
        inner.WriteAsync(tx => RunAsync(tx, command, writes: true), cancel);

    public override Task<T> WriteOneAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default) =>
        inner.WriteOneAsync(tx => RunAsync(tx, command, writes: true), cancel);

    public override ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> query, CancellationToken cancel = default) =>
        inner.ReadAsync(tx => RunAsync(tx, query, writes: false), cancel);

    public override ValueTask<T> SearchAsync<T>(Func<Tx, ValueTask<T>> query) =>
        inner.SearchAsync(tx => RunAsync(tx, query, writes: false));

    public override ValueTask DisposeAsync() => inner.DisposeAsync();

    private async ValueTask<T> RunAsync<T>(Tx tx, Func<Tx, ValueTask<T>> command, bool writes)
    {
        var measured = new MeasuredTx(tx);
        var began = Stopwatch.GetTimestamp();
        try
        {
            var result = await command(measured);
            foreach (var topic in measured.NotifiedTopics)
                tx.Notify(topic);
            return result;
        }
        finally
        {
            Done.Enqueue(new Work(writes, measured.Rows, measured.Bytes, Stopwatch.GetElapsedTime(began)));
        }
    }

    private sealed class MeasuredTx(Tx tx) : Tx
    {
        public int Rows { get; private set; }

        public long Bytes { get; private set; }

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

        public override ValueTask<int> ExecuteAsync(string sql, params object?[] args) =>
            tx.ExecuteAsync(sql, Counted(args));

        public override ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
            where T : default => tx.FirstAsync(sql, Counting(map), Counted(args));

        public override ValueTask<List<T>> ListAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args) =>
            tx.ListAsync(sql, Counting(map), Counted(args));

        public override ValueTask<List<T>> ListUntilAsync<T>(
            string sql,
            Func<DbDataReader, T?> map,
            params object?[] args
        )
            where T : class => tx.ListUntilAsync(sql, Counting(map), Counted(args));

        public override void Queue(string sql, params object?[] args) => tx.Queue(sql, Counted(args));

        public override void QueueOne(Func<Exception> orElse, string sql, params object?[] args) =>
            tx.QueueOne(orElse, sql, Counted(args));

        public override Ahead<T?> FirstAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
            where T : default => tx.FirstAhead(sql, Counting(map), Counted(args));

        public override Ahead<List<T>> ListAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args) =>
            tx.ListAhead(sql, Counting(map), Counted(args));

        private object?[] Counted(object?[] args)
        {
            Bytes += args.Sum(a =>
                a switch
                {
                    byte[] bytes => bytes.Length,
                    string text => text.Length,
                    _ => 0L,
                }
            );
            return args;
        }

        private Func<DbDataReader, T> Counting<T>(Func<DbDataReader, T> map) =>
            row =>
            {
                Rows++;
                return map(row);
            };
    }
}
