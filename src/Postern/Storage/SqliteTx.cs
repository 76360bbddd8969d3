using System.Data.Common;

namespace Postern.Storage;

/// <summary>Runs the statements of a command on SQLite. Each call completes before it returns.</summary>
internal sealed class SqliteTx(SqliteConnectionCache connection, SqliteDatabase database) : Tx
{
    public override bool WritesInQueries => false;

    public override bool SendsAhead => false;

    public override string ForUpdate => "";

    public override string ForUpdateSkipLocked => "";

    public override string IsAnyOf(string column, string parameter) =>
        $"{column} IN (SELECT value FROM json_each({parameter}))";

    public override string HoldsAnyOf(string column, string parameter) =>
        $"""
            EXISTS (
              SELECT 1 FROM json_each({column}) AS held
              WHERE held.value IN (SELECT value FROM json_each({parameter})))
            """;

    public override long Now => database.Now;

    // There is one writer, so a later command has the greater number and commits later. The number begins with the
    // time, so that none comes again after all rows were removed or a backup was restored.
    public override string NextPosition(string project, string now) =>
        $"""
            MAX({now}, 1 + COALESCE(
              (SELECT position FROM event WHERE project = {project} ORDER BY position DESC LIMIT 1), 0))
            """;

    public override ValueTask<long> SettledAsync() => new(long.MaxValue - 1);

    public override ValueTask<int> ExecuteAsync(string sql, params object?[] args) =>
        new(connection.Execute(sql, args));

    public override ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
        where T : default => new(connection.First(sql, map, args));

    public override ValueTask<List<T>> ListAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args) =>
        new(connection.List(sql, map, args));

    public override ValueTask<List<T>> ListUntilAsync<T>(string sql, Func<DbDataReader, T?> map, params object?[] args)
        where T : class => new(connection.ListUntil(sql, map, args));

    public override void Queue(string sql, params object?[] args) => connection.Execute(sql, args);

    public override void QueueOne(Func<Exception> orElse, string sql, params object?[] args)
    {
        if (connection.Execute(sql, args) != 1)
            throw orElse();
    }

    public override Ahead<T?> FirstAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args)
        where T : default => new(connection.First(sql, map, args));

    public override Ahead<List<T>> ListAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args) =>
        new(connection.List(sql, map, args));
}
