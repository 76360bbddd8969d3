using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Npgsql;
using Postern.Storage;

namespace Postern.Bench;

/// <summary>
/// The limit for durable appends: the same row in the same table from a loop that does nothing else, so many rows a
/// commit.
/// </summary>
internal static class BareLoops
{
    private const string Insert = """
        INSERT INTO record (project, session, channel, seq, at, part_id, body, headers)
        VALUES ($1, $2, 'out', $3, $4, NULL, $5, NULL)
        """;
    private const string Project = "proj_01m80t06jve429nf9xf5c8pwcw";
    private const string Session = "session_01m80t08w2e2xbfdsdh4v0010y";

    /// <summary>Rows a second.</summary>
    public static double Sqlite(string folder, int rowsPerCommit, int bodyBytes, TimeSpan span)
    {
        var file = Path.Combine(folder, "bare.db");
        Migrations.ApplyToSqlite(file);
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        Run("PRAGMA synchronous=FULL");
        using var insert = connection.CreateCommand();
        insert.CommandText = Insert;
        for (var i = 1; i <= 5; i++)
            insert.Parameters.Add(new SqliteParameter { ParameterName = "$" + i });
        insert.Parameters[0].Value = Project;
        insert.Parameters[1].Value = Session;
        insert.Parameters[4].Value = new byte[bodyBytes];
        using var begin = Command("BEGIN IMMEDIATE");
        using var commit = Command("COMMIT");
        var seq = 0L;
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < span)
        {
            begin.ExecuteNonQuery();
            for (var i = 0; i < rowsPerCommit; i++)
            {
                insert.Parameters[2].Value = seq++;
                insert.Parameters[3].Value = seq;
                insert.ExecuteNonQuery();
            }
            commit.ExecuteNonQuery();
        }
        return seq / watch.Elapsed.TotalSeconds;

        SqliteCommand Command(string sql)
        {
            var command = connection.CreateCommand();
            command.CommandText = sql;
            return command;
        }

        void Run(string sql)
        {
            using var command = Command(sql);
            command.ExecuteNonQuery();
        }
    }

    /// <summary>Rows a second, a commit a row as the server makes them, from as many loops at once.</summary>
    public static async Task<double> PostgresAsync(string connectionString, int loops, int bodyBytes, TimeSpan span)
    {
        await Migrations.ApplyToPostgresAsync(connectionString, default);
        await using var source = PostgresDatabase.CreateSource(connectionString);
        var rows = 0L;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(
            Enumerable
                .Range(0, loops)
                .Select(async loop =>
                {
                    await using var connection = await source.OpenConnectionAsync();
                    var seq = 0L;
                    while (watch.Elapsed < span)
                    {
                        await using var transaction = await connection.BeginTransactionAsync();
                        await using var insert = new NpgsqlCommand(Insert, connection, transaction);
                        insert.Parameters.Add(new NpgsqlParameter<string> { TypedValue = Project });
                        insert.Parameters.Add(new NpgsqlParameter<string> { TypedValue = Session + loop });
                        insert.Parameters.Add(new NpgsqlParameter<long> { TypedValue = seq++ });
                        insert.Parameters.Add(new NpgsqlParameter<long> { TypedValue = seq });
                        insert.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = new byte[bodyBytes] });
                        await insert.ExecuteNonQueryAsync();
                        await transaction.CommitAsync();
                        Interlocked.Increment(ref rows);
                    }
                })
        );
        return rows / watch.Elapsed.TotalSeconds;
    }
}
