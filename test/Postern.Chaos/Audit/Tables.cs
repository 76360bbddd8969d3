using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Postern.Chaos.Audit;

/// <summary>The database, read directly.</summary>
internal sealed class Tables(string? postgres, string sqliteFile)
{
    public bool IsPostgres => postgres is not null;

    public async Task<List<object?[]>> RowsAsync(string sql)
    {
        await using DbConnection connection = postgres is null
            ? new SqliteConnection($"Data Source={sqliteFile};Mode=ReadOnly;Pooling=False;Default Timeout=30")
            : new NpgsqlConnection(postgres + ";Pooling=false;Options=-c default_transaction_read_only=on");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.CommandTimeout = 60;
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<object?[]>();
        while (await reader.ReadAsync())
        {
            var row = new object?[reader.FieldCount];
            reader.GetValues(row!);
            rows.Add(row);
        }
        return rows;
    }

    /// <summary>Adds a statement that returns a row for each violation, described in its columns.</summary>
    public async Task NoneAsync(Invariant invariant, string counted, string sql)
    {
        invariant.Checked += Convert.ToInt32((await RowsAsync(counted))[0][0]);
        foreach (var row in await RowsAsync(sql))
            invariant.Break(string.Join(" | ", row));
    }
}
