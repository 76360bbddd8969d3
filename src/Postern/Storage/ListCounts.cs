namespace Postern.Storage;

/// <summary>Counts of the values in the rows that a list finds: of the newest rows, within a limit.</summary>
/// <param name="By">For each filter, its most frequent values with their counts.</param>
/// <param name="IsPart">Whether there may be more rows.</param>
internal sealed record ListCounts(IReadOnlyList<(string Name, List<(string Value, long Count)> Values)> By, bool IsPart)
{
    /// <summary>The most rows that are counted.</summary>
    public const int Most = 10_000;
    private const int MostNames = 8;

    /// <summary>Counts within the first part of the list, so that the cost does not grow with it.</summary>
    /// <param name="query">The list's conditions, except the place where a page begins.</param>
    /// <param name="order">The list's order.</param>
    /// <param name="isText">Whether a text is searched for, so that fewer rows are read.</param>
    /// <param name="columns">The names of the filters, each with its column.</param>
    public static async ValueTask<ListCounts> OfAsync(
        ListQuery query,
        ListOrder order,
        bool isText,
        params IReadOnlyList<(string Name, string Column)> columns
    )
    {
        var stretch = isText ? ListSearch.MostForText : ListSearch.Stretch;
        var end = await query.EndOfStretchAsync(order, null, stretch);
        var names = columns.Select(c => c.Column).ToList();
        var rows = await query
            .UpTo(order, end)
            .GroupAsync(
                order,
                string.Join(", ", names),
                names,
                r => (Values: names.Select((_, i) => r.TextOrNull(i)).ToArray(), Count: r.GetInt64(names.Count)),
                Most
            );
        return new ListCounts(
            [
                .. columns.Select(
                    (column, i) =>
                        (
                            column.Name,
                            rows.GroupBy(r => r.Values[i], StringComparer.Ordinal)
                                .Where(g => g.Key is not null)
                                .Select(g => (Value: g.Key!, Count: g.Sum(r => r.Count)))
                                .OrderByDescending(g => g.Count)
                                .ThenBy(g => g.Value, StringComparer.Ordinal)
                                .Take(MostNames)
                                .ToList()
                        )
                ),
            ],
            rows.Sum(r => r.Count) == Most || end is not null
        );
    }
}
