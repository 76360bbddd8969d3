using System.Collections.Concurrent;
using System.Data.Common;
using Postern.Storage;

namespace Postern.Support;

/// <summary>A database that records the text of every statement, and of those that changed rows.</summary>
internal sealed class RecordingDatabase(Database inner) : Database
{
    /// <summary>Each text with the arguments of one of its runs.</summary>
    public ConcurrentDictionary<string, object?[]> Statements { get; } = new(StringComparer.Ordinal);

    /// <summary>Called with each statement before it runs.</summary>
    public Action<string>? Seen { get; set; }

    /// <summary>The statements that changed rows.</summary>
    public ConcurrentQueue<string> Written { get; } = new();

    public override Task<long> FollowClockAsync(CancellationToken cancel) => inner.FollowClockAsync(cancel);

    public override long Now => inner.Now;

    public override string Kind => inner.Kind;

    public override bool IsEmbedded => inner.IsEmbedded;

    public override Changes Changes => inner.Changes;

    public override Tally Tally => inner.Tally;

    public override WriteHealth Writes => inner.Writes;

    public override Task<T> WriteAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default) =>
        inner.WriteAsync(tx => RunAsync(tx, command), cancel);

    public override Task<T> WriteOneAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default) =>
        inner.WriteOneAsync(tx => RunAsync(tx, command), cancel);

    public override ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> query, CancellationToken cancel = default) =>
        inner.ReadAsync(tx => RunAsync(tx, query), cancel);

    public override ValueTask<T> SearchAsync<T>(Func<Tx, ValueTask<T>> query) =>
        inner.SearchAsync(tx => RunAsync(tx, query));

    public override ValueTask DisposeAsync() => inner.DisposeAsync();

    private async ValueTask<T> RunAsync<T>(Tx tx, Func<Tx, ValueTask<T>> command)
    {
        var recording = new RecordingTx(
            tx,
            (sql, args) =>
            {
                Statements[sql] = args;
                Seen?.Invoke(sql);
            },
            Written
        );
        var result = await command(recording);
        foreach (var topic in recording.NotifiedTopics)
            tx.Notify(topic);
        return result;
    }

    private sealed class RecordingTx(Tx tx, Action<string, object?[]> seen, ConcurrentQueue<string> written) : Tx
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

        public override async ValueTask<int> ExecuteAsync(string sql, params object?[] args)
        {
            seen(sql, args);
            var rows = await tx.ExecuteAsync(sql, args);
            if (rows > 0)
                written.Enqueue(sql);
            return rows;
        }

        public override async ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
            where T : default
        {
            seen(sql, args);
            var found = false;
            var first = await tx.FirstAsync(sql, Found, args);
            if (found && Writes(sql))
                written.Enqueue(sql);
            return first;

            T Found(DbDataReader row)
            {
                found = true;
                return map(row);
            }
        }

        public override async ValueTask<List<T>> ListUntilAsync<T>(
            string sql,
            Func<DbDataReader, T?> map,
            params object?[] args
        )
            where T : class
        {
            seen(sql, args);
            var rows = await tx.ListUntilAsync(sql, map, args);
            if (rows.Count > 0 && Writes(sql))
                written.Enqueue(sql);
            return rows;
        }

        public override async ValueTask<List<T>> ListAsync<T>(
            string sql,
            Func<DbDataReader, T> map,
            params object?[] args
        )
        {
            seen(sql, args);
            var rows = await tx.ListAsync(sql, map, args);
            if (rows.Count > 0 && Writes(sql))
                written.Enqueue(sql);
            return rows;
        }

        public override void Queue(string sql, params object?[] args)
        {
            seen(sql, args);
            tx.Queue(sql, args);
            written.Enqueue(sql);
        }

        public override void QueueOne(Func<Exception> orElse, string sql, params object?[] args)
        {
            seen(sql, args);
            tx.QueueOne(orElse, sql, args);
            written.Enqueue(sql);
        }

        public override Ahead<T?> FirstAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
            where T : default
        {
            seen(sql, args);
            return tx.FirstAhead(sql, map, args);
        }

        public override Ahead<List<T>> ListAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
        {
            seen(sql, args);
            return tx.ListAhead(sql, map, args);
        }

        private static bool Writes(string sql) => sql.Contains("RETURNING", StringComparison.Ordinal);
    }
}
