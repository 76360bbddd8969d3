using System.Text;
using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Metrics;

/// <summary>
/// The rows of metrics. Only one process writes a row, and always the whole row, so writing it again changes nothing.
/// </summary>
internal sealed class MetricStore(Database database)
{
    /// <summary>The rows of one statement, and of one transaction.</summary>
    private const int RowsOfStatement = 50;
    private const int RowsOfCommit = 500;
    private const int Columns = 8;
    private const int RemovedAtOnce = 1000;

    /// <summary>The most rows that are read. Older ones are left out, and the result says so.</summary>
    public const int MaxRead = 100_000;

    private static readonly string InsertMany = Insert(RowsOfStatement);
    private static readonly string InsertOne = Insert(1);

    /// <summary>Stores rows.</summary>
    public async Task WriteAsync(string node, IReadOnlyList<MetricRow> rows)
    {
        foreach (var part in rows.Chunk(RowsOfCommit))
            await database.WriteAsync(async tx =>
            {
                foreach (var some in part.Chunk(RowsOfStatement))
                {
                    if (some.Length == RowsOfStatement)
                        await tx.ExecuteAsync(InsertMany, [.. some.SelectMany(row => ValuesOf(node, row))]);
                    else
                        foreach (var row in some)
                            await tx.ExecuteAsync(InsertOne, ValuesOf(node, row));
                }
                return part.Length;
            });
    }

    /// <summary>Returns measures of a project for a period, including those that never happened.</summary>
    /// <param name="projects">The project, or <see cref="Tally.Server"/>; of several all together.</param>
    /// <param name="kinds">The measures.</param>
    /// <param name="width">Of minutes or of hours.</param>
    /// <param name="from">Inclusive, microseconds since 1970.</param>
    /// <param name="to">Exclusive.</param>
    public async ValueTask<List<MetricSeries>> ReadAsync(
        IReadOnlyList<string> projects,
        IReadOnlyList<MeasureKind> kinds,
        MetricWidth width,
        long from,
        long to
    )
    {
        var found = new Dictionary<(string Name, string Node), SortedDictionary<long, MetricPoint>>();
        if (kinds.Count == 0)
            return [];
        var names = JsonSerializer.Serialize(kinds.Select(kind => kind.Name), Wire.Json);
        var owners = JsonSerializer.Serialize(projects, Wire.Json);
        await database.SearchAsync(async tx =>
        {
            found.Clear();
            await tx.ListAsync(
                $"""
                SELECT name, at, node, count, max, buckets
                FROM metric
                WHERE {tx.IsAnyOf("project", "$1")} AND {tx.IsAnyOf("name", "$2")}
                  AND width = $3 AND at >= $4 AND at < $5
                LIMIT {MaxRead}
                """,
                r =>
                    Add(r.GetString(0), r.GetInt64(1), r.GetString(2), (r.GetInt64(3), r.GetInt64(4), r.TextOrNull(5))),
                owners,
                names,
                width.Seconds,
                from,
                to
            );
            return 0;
        });
        return
        [
            .. kinds.SelectMany(kind =>
                found
                    .Where(f => f.Key.Name == kind.Name)
                    .OrderBy(f => f.Key.Node, StringComparer.Ordinal)
                    .Select(f => new MetricSeries(kind, kind.IsOfServer ? f.Key.Node : null, [.. f.Value.Values]))
                    .DefaultIfEmpty(new MetricSeries(kind, null, []))
            ),
        ];

        bool Add(string name, long at, string node, (long Count, long Max, string? Buckets) counted)
        {
            var kind = MeasureKind.Find(name)!;
            var key = (name, kind.IsOfServer ? node : "");
            if (!found.TryGetValue(key, out var points))
                found[key] = points = [];
            if (!points.TryGetValue(at, out var point))
                points[at] = point = new MetricPoint(at);
            point.Add(kind, counted.Count, counted.Max, counted.Buckets);
            return true;
        }
    }

    /// <summary>Removes rows of a width that begin before a time, until none is left or it is stopped.</summary>
    public async Task RemoveAsync(MetricWidth width, long before, CancellationToken stop)
    {
        var removed = RemovedAtOnce;
        while (removed == RemovedAtOnce && !stop.IsCancellationRequested)
            removed = await database.WriteAsync(
                tx =>
                    tx.ExecuteAsync(
                        $"""
                        DELETE FROM metric WHERE (project, name, width, at, node) IN (
                          SELECT project, name, width, at, node FROM metric
                          WHERE width = $1 AND at < $2 LIMIT {RemovedAtOnce}{tx.ForUpdateSkipLocked})
                        """,
                        width.Seconds,
                        before
                    ),
                stop
            );
    }

    private static object?[] ValuesOf(string node, MetricRow row) =>
        [
            row.Counted.Project,
            MeasureKind.Of(row.Counted.Measure).Name,
            row.Width.Seconds,
            row.At,
            node,
            row.Counted.Count,
            row.Counted.Max,
            row.Counted.Buckets is { } buckets ? SpanBuckets.Text(buckets) : null,
        ];

    private static string Insert(int rows)
    {
        var sql = new StringBuilder(
            "INSERT INTO metric (project, name, width, at, node, count, max, buckets)\nVALUES "
        );
        for (var row = 0; row < rows; row++)
            sql.Append(row == 0 ? "" : ",\n")
                .Append('(')
                .AppendJoin(", ", Enumerable.Range((row * Columns) + 1, Columns).Select(n => "$" + n))
                .Append(')');
        return sql.Append(
                """

                ON CONFLICT (project, name, width, at, node) DO UPDATE
                SET count = excluded.count, max = excluded.max, buckets = excluded.buckets
                """
            )
            .ToString();
    }
}
