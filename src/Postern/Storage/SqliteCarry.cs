using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <summary>
/// Copies rows from one SQLite file to another in one transaction, with the columns that both schemas have.
/// </summary>
internal static class SqliteCarry
{
    /// <summary>
    /// Returns how many rows of each table were copied, or null when the files have no project in common or the
    /// replaced one cannot be read.
    /// </summary>
    /// <param name="from">The replaced database; it is not changed.</param>
    /// <param name="to">The restored one, before anybody serves it.</param>
    /// <param name="tables">What is carried.</param>
    public static IReadOnlyList<(CarriedTable Table, int Rows)>? Run(
        string from,
        string to,
        IReadOnlyList<CarriedTable> tables
    )
    {
        try
        {
            using var connection = new SqliteConnection(
                new SqliteConnectionStringBuilder
                {
                    DataSource = to,
                    Mode = SqliteOpenMode.ReadWrite,
                    Pooling = false,
                }.ToString()
            );
            connection.Open();
            Execute(connection, "ATTACH DATABASE $1 AS replaced", from);
            using var transaction = connection.BeginTransaction();
            if (
                Count(connection, "SELECT COUNT(*) FROM main.project WHERE id IN (SELECT id FROM replaced.project)")
                == 0
            )
                return null;
            var carried = tables.Select(table => (table, Carry(connection, table))).ToList();
            // Later changes must be newer than what was copied.
            Execute(
                connection,
                """
                UPDATE main.meta SET number = max(number, (SELECT number FROM replaced.meta
                    WHERE name = 'access_version'))
                WHERE name = 'access_version' AND EXISTS (SELECT 1 FROM replaced.meta WHERE name = 'access_version')
                """
            );
            transaction.Commit();
            return carried;
        }
        catch (SqliteException)
        {
            // The file is damaged, or its schema has no such rows. The caller is told that nothing was copied.
            return null;
        }
    }

    private static int Carry(SqliteConnection connection, CarriedTable carried)
    {
        var columns = Columns(connection, "replaced", carried.Table)
            .Intersect(Columns(connection, "main", carried.Table))
            .ToList();
        var (table, list, key) = (carried.Table, string.Join(", ", columns), string.Join(", ", carried.Key));
        var same = string.Join(" AND ", carried.Key.Select(column => $"here.{column} = there.{column}"));
        var which = carried.Adds
            ? "there.project IN (SELECT id FROM main.project)"
            : $"EXISTS (SELECT 1 FROM main.{table} here WHERE {same})";
        var sets = string.Join(", ", columns.Except(carried.Key).Select(column => $"{column} = excluded.{column}"));
        var conflict = carried.Newer is null
            ? "NOTHING"
            : $"UPDATE SET {sets} WHERE excluded.{carried.Newer} > {table}.{carried.Newer}";
        return Execute(
            connection,
            $"""
            INSERT INTO main.{table} ({list})
            SELECT {list} FROM replaced.{table} there WHERE {which}
            ON CONFLICT ({key}) DO {conflict}
            """
        );
    }

    private static List<string> Columns(SqliteConnection connection, string schema, string table)
    {
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT name FROM pragma_table_info('{table}', '{schema}')";
        using var reader = command.ExecuteReader();
        var columns = new List<string>();
        while (reader.Read())
            columns.Add(reader.GetString(0));
        return columns;
    }

    private static long Count(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }

    private static int Execute(SqliteConnection connection, string sql, string? argument = null)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        if (argument is not null)
            command.Parameters.AddWithValue("$1", argument);
        return command.ExecuteNonQuery();
    }
}
