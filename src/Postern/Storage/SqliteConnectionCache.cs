using System.Data.Common;
using System.Diagnostics;
using BitFaster.Caching.Lru;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Postern.Storage;

/// <summary>
/// One SQLite connection and its prepared statements, for one thread at a time. The most recently used statements are
/// kept by their text, at most <see cref="Kept"/>, whatever texts are used.
/// </summary>
internal sealed class SqliteConnectionCache : IDisposable
{
    /// <summary>
    /// More than the product's own texts, so that only a flood of unusual texts causes statements to be prepared again.
    /// </summary>
    public const int Kept = 500;

    /// <summary>
    /// A larger value is released when its statement has run, so that a kept statement does not hold a request's body.
    /// </summary>
    private const int LargeValue = 4096;

    /// <summary>The code of a statement that was interrupted.</summary>
    public const int Interrupted = 9;

    /// <summary>Steps of SQLite's machine between two checks of the time: some tenths of a millisecond.</summary>
    private const int StepsBetweenChecks = 10_000;

    private long _until = long.MaxValue;
    private CancellationToken _cancel;

    private readonly ClassicLru<string, SqliteCommand> _commands = new(Kept);

    public SqliteConnectionCache(string connectionString)
    {
        Connection = new SqliteConnection(connectionString);
        Connection.Open();
        raw.sqlite3_progress_handler(Connection.Handle, StepsBetweenChecks, _ => IsOver ? 1 : 0, null);
    }

    private bool IsOver => Stopwatch.GetTimestamp() > _until || _cancel.IsCancellationRequested;

    public SqliteConnection Connection { get; }

    /// <summary>Number of statements in memory.</summary>
    public int Count => _commands.Count;

    /// <summary>
    /// Until this is disposed, a statement is interrupted when it takes too long or its caller has gone.
    /// </summary>
    public IDisposable Within(TimeSpan time, CancellationToken cancel)
    {
        (_until, _cancel) = (Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency), cancel);
        return new Bound(this);
    }

    public int Execute(string sql, ReadOnlySpan<object?> args)
    {
        var command = Prepare(sql, args);
        var changed = command.ExecuteNonQuery();
        LetGo(command, args);
        return changed;
    }

    public T? First<T>(string sql, Func<DbDataReader, T> map, ReadOnlySpan<object?> args)
    {
        var command = Prepare(sql, args);
        T? first;
        using (var reader = command.ExecuteReader())
            first = reader.Read() ? map(reader) : default;
        LetGo(command, args);
        return first;
    }

    public List<T> List<T>(string sql, Func<DbDataReader, T> map, ReadOnlySpan<object?> args)
    {
        var command = Prepare(sql, args);
        var rows = new List<T>();
        using (var reader = command.ExecuteReader())
            while (reader.Read())
                rows.Add(map(reader));
        LetGo(command, args);
        return rows;
    }

    /// <summary>
    /// Returns the rows before the first one that maps to null. The rows behind that one are not made.
    /// </summary>
    public List<T> ListUntil<T>(string sql, Func<DbDataReader, T?> map, ReadOnlySpan<object?> args)
        where T : class
    {
        var command = Prepare(sql, args);
        var rows = new List<T>();
        using (var reader = command.ExecuteReader())
            while (reader.Read() && map(reader) is { } row)
                rows.Add(row);
        LetGo(command, args);
        return rows;
    }

    public void Dispose()
    {
        _commands.Clear();
        Connection.Dispose();
    }

    private SqliteCommand Prepare(string sql, ReadOnlySpan<object?> args)
    {
        if (!_commands.TryGet(sql, out var command))
        {
            command = Connection.CreateCommand();
            command.CommandText = sql;
            for (var i = 0; i < args.Length; i++)
                command.Parameters.Add(new SqliteParameter { ParameterName = "$" + (i + 1) });
            _commands.AddOrUpdate(sql, command);
        }
        for (var i = 0; i < args.Length; i++)
            command.Parameters[i].Value = args[i] ?? DBNull.Value;
        return command;
    }

    private static void LetGo(SqliteCommand command, ReadOnlySpan<object?> args)
    {
        for (var i = 0; i < args.Length; i++)
            if (args[i] is byte[] { Length: > LargeValue } or string { Length: > LargeValue })
                command.Parameters[i].Value = DBNull.Value;
    }

    private sealed class Bound(SqliteConnectionCache cache) : IDisposable
    {
        public void Dispose() => (cache._until, cache._cancel) = (long.MaxValue, default);
    }
}
