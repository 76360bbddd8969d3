using Postern.Storage;

namespace Postern.Runs;

/// <summary>How many of the runs that a filter finds have which agent, trigger, phase and failure.</summary>
internal sealed class RunCounts(Database database)
{
    /// <summary>Rows that are counted at most: the newest.</summary>
    public const int Most = 10_000;
    private const int MostNames = 8;

    /// <summary>The columns that can be counted by.</summary>
    public static readonly IReadOnlyList<(string Name, string Column)> By =
    [
        ("phase", "phase"),
        ("agent", "agent"),
        ("trigger", "trigger_key"),
        ("failure", "failure_code"),
    ];

    /// <summary>For each name, its most frequent values with their numbers; null values are left out.</summary>
    public ValueTask<Dictionary<string, List<(string Value, long Count)>>> OfAsync(string project, RunFilter filter) =>
        database.SearchAsync(async tx =>
        {
            var found = new Dictionary<string, List<(string, long)>>(StringComparer.Ordinal);
            foreach (var (name, column) in By)
            {
                var query = RunStore.Narrow(tx, project, filter);
                var (rows, names) = (query.Arg((long)Most), query.Arg((long)MostNames));
                found[name] = await tx.ListAsync(
                    $"""
                    SELECT {column}, COUNT(*) FROM (
                      SELECT {column} FROM run WHERE {query.Where}
                      ORDER BY created_at DESC, id DESC LIMIT {rows}) AS counted
                    WHERE {column} IS NOT NULL GROUP BY {column} ORDER BY COUNT(*) DESC, {column} LIMIT {names}
                    """,
                    r => (r.GetString(0), r.GetInt64(1)),
                    query.Args
                );
            }
            return found;
        });
}
