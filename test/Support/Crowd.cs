using Postern.Storage;

namespace Postern.Support;

/// <summary>Fills a table with many copies of one row, as fast as the database can write.</summary>
internal static class Crowd
{
    /// <summary>The rows of one statement, so few that it ends within the time limit of a statement.</summary>
    private const int Piece = 25_000;

    /// <param name="database">Either database.</param>
    /// <param name="table">With one row at least that fulfils <paramref name="template"/>.</param>
    /// <param name="template">A condition: the row that is copied.</param>
    /// <param name="rows">How many copies.</param>
    /// <param name="changed">What is not copied: an expression over <c>n</c>, 1 to <paramref name="rows"/>.</param>
    public static async Task CopyAsync(
        Database database,
        string table,
        string template,
        int rows,
        params (string Column, string Value)[] changed
    )
    {
        var columns = await database.ReadAsync(tx =>
            tx.FirstAsync(
                $"SELECT * FROM {table} WHERE {template}",
                r => Enumerable.Range(0, r.FieldCount).Select(r.GetName).ToList()
            )
        );
        Assert.NotNull(columns);
        Assert.Empty(changed.Select(c => c.Column).Except(columns, StringComparer.Ordinal));
        var values = columns.Select(column =>
            changed.FirstOrDefault(c => c.Column == column).Value ?? $"template.{column}"
        );
        var copied = $"(SELECT * FROM {table} WHERE {template} LIMIT 1) template";
        for (var first = 1; first <= rows; first += Piece)
        {
            var last = Math.Min(first + Piece - 1, rows);
            await database.WriteAsync(tx =>
                tx.ExecuteAsync(
                    $"""
                    WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})
                    INSERT INTO {table} ({string.Join(", ", columns)})
                    SELECT {string.Join(", ", values)} FROM numbers, {copied}
                    """
                )
            );
        }
    }
}
