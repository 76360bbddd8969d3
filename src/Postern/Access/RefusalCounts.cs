namespace Postern.Access;

/// <summary>
/// Counts refusals: equal ones from one address within a minute become one row. Rows whose answers look alike form a
/// group. All requests of a group get the id of its first row, so that an id reveals no more than the answer does, and
/// the group ends as a whole. A row stays here until it is written, however long the database cannot be reached.
/// Callers pass the time. All members are thread-safe.
/// </summary>
internal sealed class RefusalCounts
{
    /// <summary>The most rows of a minute. Further refusals share one row for each project and action.</summary>
    public const int MaxDistinct = 2_000;

    /// <summary>The most rows that one transaction writes.</summary>
    private const int MaxBatch = 500;
    private const long Minute = 60_000_000;
    private readonly Lock _gate = new();
    private readonly Dictionary<AuditRow, Group> _groups = [];

    /// <summary>Groups whose minute is over and that a newer group has replaced.</summary>
    private readonly List<Group> _over = [];
    private int _rows;

    /// <summary>Counts a refusal.</summary>
    /// <param name="row">The row, if it is the first of its kind.</param>
    /// <param name="kind">What makes it another kind: what a stranger may choose as he likes stands not in it.</param>
    /// <param name="told">What its answer shows of it.</param>
    /// <param name="now">Microseconds.</param>
    /// <param name="newId">Makes the id of a new row.</param>
    /// <returns>The id that the answer is given, and whether there is a new row to be written.</returns>
    public (string Id, bool IsNew) Add(AuditRow row, AuditRow kind, AuditRow told, long now, Func<string> newId)
    {
        lock (_gate)
        {
            var isFull = _rows >= MaxDistinct;
            if (isFull && !_groups.ContainsKey(told))
                told = kind = row = new AuditRow(row.Project, row.Action, Reason: "many");
            if (_groups.TryGetValue(told, out var group) && !isFull && IsOver(group, now))
            {
                _groups.Remove(told);
                _over.Add(group);
                group = null;
            }
            if (group is null)
                _groups[told] = group = new Group(now);
            if (group.Rows.TryGetValue(kind, out var known) || (isFull && (known = group.First) is not null))
            {
                known.Times++;
                return (group.First!.Id, false);
            }
            var fresh = new CountedRefusal(row, newId(), now);
            group.Rows[kind] = fresh;
            group.First ??= fresh;
            _rows++;
            return (group.First.Id, true);
        }
    }

    /// <summary>
    /// Returns what must be written: new rows, and the counts of rows whose minute is over. Fully written groups whose
    /// minute is over are forgotten.
    /// </summary>
    /// <param name="now">Microseconds.</param>
    /// <param name="all">Minutes end now.</param>
    public List<(CountedRefusal Refusal, long Times)> Take(long now, bool all)
    {
        var due = new List<(CountedRefusal, long)>();
        lock (_gate)
        {
            foreach (var (told, group) in _groups)
                if (TakeOf(group, all || IsOver(group, now), due))
                    _groups.Remove(told);
            _over.RemoveAll(group => TakeOf(group, isOver: true, due));
        }
        return due;
    }

    /// <summary>Records that rows were written.</summary>
    public void Written(IReadOnlyList<(CountedRefusal Refusal, long Times)> done)
    {
        lock (_gate)
        {
            foreach (var (refusal, times) in done)
                refusal.Written = times;
        }
    }

    /// <summary>Returns whether nothing of the group remains to be written or counted.</summary>
    private bool TakeOf(Group group, bool isOver, List<(CountedRefusal, long)> due)
    {
        if (isOver && group.Rows.Values.All(c => c.Written == c.Times))
        {
            _rows -= group.Rows.Count;
            return true;
        }
        foreach (var counted in group.Rows.Values)
            if (due.Count < MaxBatch && (counted.Written == 0 || (isOver && counted.Written < counted.Times)))
                due.Add((counted, counted.Times));
        return false;
    }

    private static bool IsOver(Group group, long now) => now - group.At >= Minute;

    private sealed class Group(long at)
    {
        public long At => at;

        public CountedRefusal? First { get; set; }

        public Dictionary<AuditRow, CountedRefusal> Rows { get; } = [];
    }
}
