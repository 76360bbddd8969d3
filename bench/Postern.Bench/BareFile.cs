using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace Postern.Bench;

/// <summary>
/// A database file that a bare loop writes to as the server does: the same settings, prepared statements, so many
/// commands a commit, and nothing else.
/// </summary>
internal sealed class BareFile : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _prepared = new(StringComparer.Ordinal);

    public BareFile(string file)
    {
        _connection = new SqliteConnection($"Data Source={file};Pooling=False");
        _connection.Open();
        foreach (var pragma in (string[])["synchronous=FULL", "cache_size=-16000", "wal_autocheckpoint=1000"])
            Scalar("PRAGMA " + pragma);
    }

    /// <summary>A statement whose parameters are <c>$1…</c>.</summary>
    public SqliteCommand Command(string sql)
    {
        var command = _connection.CreateCommand();
        command.CommandText = sql;
        for (var i = 1; sql.Contains("$" + i, StringComparison.Ordinal); i++)
            command.Parameters.Add(new SqliteParameter { ParameterName = "$" + i });
        return command;
    }

    public object? Scalar(string sql)
    {
        using var command = Command(sql);
        return command.ExecuteScalar();
    }

    /// <summary>Changes one row; a loop that changes none measures nothing.</summary>
    public static void Execute(SqliteCommand command, params object?[] values)
    {
        for (var i = 0; i < values.Length; i++)
            command.Parameters[i].Value = values[i] ?? DBNull.Value;
        if (command.ExecuteNonQuery() != 1)
            throw new InvalidOperationException("a row was not there: " + command.CommandText);
    }

    /// <summary>Writes rows, each by a statement that was prepared once.</summary>
    public void Write(IEnumerable<(string Sql, object?[] Values)> rows)
    {
        foreach (var (sql, values) in rows)
        {
            if (!_prepared.TryGetValue(sql, out var command))
                _prepared[sql] = command = Command(sql);
            Execute(command, values);
        }
    }

    /// <summary>Commands a second: so many in each commit, for a time or until a number of them is done.</summary>
    public double Run(int perCommit, TimeSpan span, Action<long> command, long most = long.MaxValue)
    {
        using var begin = Command("BEGIN IMMEDIATE");
        using var commit = Command("COMMIT");
        var done = 0L;
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < span && done + perCommit <= most)
        {
            begin.ExecuteNonQuery();
            for (var i = 0; i < perCommit; i++)
                command(done++);
            commit.ExecuteNonQuery();
        }
        return done / watch.Elapsed.TotalSeconds;
    }

    public void Dispose() => _connection.Dispose();
}
