using System.Data.Common;

namespace Postern.Storage;

/// <summary>
/// A page with a limit of rows and a limit of bytes: as many rows as fit, and always at least one. The database applies
/// the limit. PostgreSQL sends all rows that it has selected, so there the statement adds up their sizes. SQLite makes
/// a row only when it is asked for it, and is asked for at most one row beyond the limit.
/// </summary>
/// <param name="Columns">What is read.</param>
/// <param name="Size">Bytes of a row, as an expression that loads none of it.</param>
internal sealed record BytePage(string Columns, string Size)
{
    /// <param name="tx">Where it is asked.</param>
    /// <param name="from">The table and the condition, over <paramref name="args"/> as <c>$1…</c>.</param>
    /// <param name="order">What the rows are ordered by.</param>
    /// <param name="limit">Rows, at most.</param>
    /// <param name="bytes">Bytes, at most, where there is more than one row.</param>
    /// <param name="map">Reads a row of the columns.</param>
    /// <param name="args">The condition's arguments.</param>
    public async ValueTask<List<T>> ReadAsync<T>(
        Tx tx,
        string from,
        string order,
        long limit,
        long bytes,
        Func<DbDataReader, T> map,
        params object?[] args
    )
    {
        var most = "$" + (args.Length + 1);
        if (tx.SendsAhead)
        {
            return await tx.ListAsync(
                $"""
                SELECT {Columns} FROM (
                  SELECT {Columns}, {Size} AS row_bytes, SUM({Size}) OVER (
                      ORDER BY {order} ROWS UNBOUNDED PRECEDING) AS page_bytes
                  FROM {from} ORDER BY {order} LIMIT {most}) AS page
                WHERE page_bytes <= ${args.Length + 2} OR page_bytes = row_bytes ORDER BY {order}
                """,
                map,
                [.. args, limit, bytes]
            );
        }
        var (total, seen) = (0L, 0);
        var found = await tx.ListUntilAsync(
            $"SELECT {Columns}, {Size} AS row_bytes FROM {from} ORDER BY {order} LIMIT {most}",
            row => (total += row.GetInt64(row.FieldCount - 1)) <= bytes | seen++ == 0 ? new Fitting<T>(map(row)) : null,
            [.. args, limit]
        );
        return [.. found.Select(f => f.Row)];
    }

    private sealed record Fitting<T>(T Row);
}
