using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <summary>
/// One SQLite connection and its prepared statements, for one thread at a time. Statements are kept by their text: the
/// product's texts are constants, so their number is bounded by the source.
/// </summary>
internal sealed class SqliteConnectionCache : IDisposable
{
    private readonly Dictionary<string, SqliteCommand> _commands = new(StringComparer.Ordinal);

    public SqliteConnectionCache(string connectionString)
    {
        Connection = new SqliteConnection(connectionString);
        Connection.Open();
    }

    public SqliteConnection Connection { get; }

    public int Execute(string sql, ReadOnlySpan<object?> args)
    {
        var command = Prepare(sql, args);
        return command.ExecuteNonQuery();
    }

    public T? First<T>(string sql, Func<DbDataReader, T> map, ReadOnlySpan<object?> args)
    {
        using var reader = Prepare(sql, args).ExecuteReader();
        return reader.Read() ? map(reader) : default;
    }

    public List<T> List<T>(string sql, Func<DbDataReader, T> map, ReadOnlySpan<object?> args)
    {
        using var reader = Prepare(sql, args).ExecuteReader();
        var rows = new List<T>();
        while (reader.Read()) rows.Add(map(reader));
        return rows;
    }

    public void Dispose()
    {
        foreach (var command in _commands.Values) command.Dispose();
        Connection.Dispose();
    }

    private SqliteCommand Prepare(string sql, ReadOnlySpan<object?> args)
    {
        if (!_commands.TryGetValue(sql, out var command))
        {
            command = Connection.CreateCommand();
            command.CommandText = sql;
            for (var i = 0; i < args.Length; i++) command.Parameters.Add(new SqliteParameter { ParameterName = "$" + (i + 1) });
            _commands.Add(sql, command);
        }
        for (var i = 0; i < args.Length; i++) command.Parameters[i].Value = args[i] ?? DBNull.Value;
        return command;
    }
}
