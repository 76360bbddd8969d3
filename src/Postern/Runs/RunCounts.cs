using Postern.Storage;

namespace Postern.Runs;

/// <summary>Counts the runs that match a filter, by agent, trigger, phase and failure.</summary>
internal sealed class RunCounts(Database database, KeptCounts kept)
{
    /// <summary>The most runs that are counted: the newest of those that match.</summary>
    public const int Most = 10_000;
    private const int MostNames = 8;
    private static readonly ListOrder Newest = new("run", "created_at");

    /// <summary>
    /// Counts the newest matching runs within a stretch of the list, so the cost does not grow with the list. While no
    /// run changes, it counts once.
    /// </summary>
    public ValueTask<RunsCounted> OfAsync(string project, RunFilter filter) =>
        kept.OfAsync(project, filter, () => CountAsync(project, filter));

    private ValueTask<RunsCounted> CountAsync(string project, RunFilter filter) =>
        database.SearchAsync(async tx =>
        {
            var query = RunStore.Narrow(tx, project, filter);
            var from = filter.To is { } to ? (to + 1, "") : ((long, string)?)null;
            var stretch = filter.IsOfText ? ListSearch.MostForText : ListSearch.Stretch;
            var end = await query.EndOfStretchAsync(Newest, from, stretch);
            var rows = await query
                .UpTo(Newest, end)
                .GroupAsync(
                    Newest,
                    "phase, agent, trigger_key, failure_code",
                    ["phase", "agent", "trigger_key", "failure_code"],
                    r => new Counted(r.GetString(0), r.GetString(1), r.TextOrNull(2), r.TextOrNull(3), r.GetInt64(4)),
                    Most
                );
            return new RunsCounted(
                [
                    ("phase", Of(rows, r => r.Phase)),
                    ("agent", Of(rows, r => r.Agent)),
                    ("trigger", Of(rows, r => r.Trigger)),
                    ("failure", Of(rows, r => r.Failure)),
                ],
                Of(rows.Where(r => !Phase.IsTerminal(r.Phase)), r => r.Trigger),
                rows.Sum(r => r.Count) == Most || end is not null
            );
        });

    /// <summary>Returns the most frequent values with their numbers. Runs without a value are left out.</summary>
    private static List<(string Value, long Count)> Of(IEnumerable<Counted> rows, Func<Counted, string?> value) =>
        [
            .. rows.GroupBy(value, StringComparer.Ordinal)
                .Where(g => g.Key is not null)
                .Select(g => (g.Key!, g.Sum(r => r.Count)))
                .OrderByDescending(g => g.Item2)
                .ThenBy(g => g.Item1, StringComparer.Ordinal)
                .Take(MostNames),
        ];

    /// <summary>A number of equal runs.</summary>
    private sealed record Counted(string Phase, string Agent, string? Trigger, string? Failure, long Count);
}
