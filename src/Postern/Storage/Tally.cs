using System.Collections.Concurrent;

namespace Postern.Storage;

/// <summary>
/// Counts by project since the last time it was emptied. Counting is one look into a dictionary and one increment,
/// without a lock or an allocation. Once a minute, everything is taken out and stored in the database. Counts of a
/// transaction (<see cref="Tx.Count"/>) are added when it has committed.
/// </summary>
internal sealed class Tally
{
    /// <summary>
    /// Used instead of a project for counts of the whole server, and for refusals that prove no project.
    /// </summary>
    public const string Server = "-";

    private readonly ConcurrentDictionary<string, Cells> _projects = new(StringComparer.Ordinal);

    /// <summary>Number of projects with counts.</summary>
    public int Count => _projects.Count;

    /// <summary>Adds a number of occurrences.</summary>
    public void Add(string project, Measure measure, long times = 1)
    {
        var cells = CellsOf(project);
        Interlocked.Add(ref cells.Counts[(int)measure], times);
        MoveIfClosed(project, cells);
    }

    /// <summary>Adds a span.</summary>
    /// <param name="span">Microseconds.</param>
    public void AddSpan(string project, Measure measure, long span)
    {
        var cells = CellsOf(project);
        Interlocked.Increment(ref cells.BucketsOf(measure)[SpanBuckets.Of(span)]);
        cells.Raise(measure, span);
        Interlocked.Increment(ref cells.Counts[(int)measure]);
        MoveIfClosed(project, cells);
    }

    /// <summary>Records a value, of which the greatest is kept.</summary>
    public void Level(string project, Measure measure, long value)
    {
        var cells = CellsOf(project);
        cells.Raise(measure, value);
        Interlocked.MemoryBarrier();
        MoveIfClosed(project, cells);
    }

    /// <summary>Adds the counts of a transaction that has committed.</summary>
    internal void Add(IReadOnlyList<Counted> counted)
    {
        for (var i = 0; i < counted.Count; i++)
        {
            var (project, measure, value) = counted[i];
            if (MeasureKind.Of(measure).IsSpan)
                AddSpan(project, measure, value);
            else
                Add(project, measure, value);
        }
    }

    /// <summary>
    /// Takes out all counts. A project without counts is removed. A thread that counts into its cells at this moment
    /// sees that they are closed, and counts again elsewhere.
    /// </summary>
    public List<TallyRow> Drain()
    {
        var rows = new List<TallyRow>();
        foreach (var one in _projects)
        {
            var before = rows.Count;
            one.Value.DrainTo(one.Key, rows);
            if (rows.Count > before || !_projects.TryRemove(one))
                continue;
            one.Value.Close();
            one.Value.DrainTo(one.Key, rows);
        }
        return rows;
    }

    /// <summary>Called after counting: cells that were removed meanwhile are not read again.</summary>
    private void MoveIfClosed(string project, Cells cells)
    {
        if (!cells.IsClosed)
            return;
        var rows = new List<TallyRow>();
        cells.DrainTo(project, rows);
        foreach (var row in rows)
        {
            var now = CellsOf(project);
            now.Take(row);
            MoveIfClosed(project, now);
        }
    }

    private Cells CellsOf(string project) =>
        _projects.TryGetValue(project, out var cells) ? cells : _projects.GetOrAdd(project, static _ => new Cells());

    private sealed class Cells
    {
        private readonly long[] _max = new long[MeasureKind.All.Length];
        private readonly long[]?[] _buckets = new long[]?[MeasureKind.All.Length];
        private int _closed;

        public long[] Counts { get; } = new long[MeasureKind.All.Length];

        public bool IsClosed => Volatile.Read(ref _closed) != 0;

        public void Close() => Interlocked.Exchange(ref _closed, 1);

        /// <summary>Adds counts from other cells.</summary>
        public void Take(TallyRow row)
        {
            if (row.Buckets is { } taken)
            {
                // Created even when all buckets are empty: a span without buckets would be lost.
                var buckets = BucketsOf(row.Measure);
                for (var b = 0; b < taken.Length; b++)
                    Interlocked.Add(ref buckets[b], taken[b]);
            }
            Raise(row.Measure, row.Max);
            Interlocked.Add(ref Counts[(int)row.Measure], row.Count);
        }

        /// <summary>Created when the first span is counted.</summary>
        public long[] BucketsOf(Measure measure) =>
            Volatile.Read(ref _buckets[(int)measure])
            ?? Interlocked.CompareExchange(ref _buckets[(int)measure], new long[SpanBuckets.Count], null)
            ?? _buckets[(int)measure]!;

        public void Raise(Measure measure, long value)
        {
            ref var max = ref _max[(int)measure];
            var before = Volatile.Read(ref max);
            while (value > before)
            {
                var seen = Interlocked.CompareExchange(ref max, value, before);
                if (seen == before)
                    return;
                before = seen;
            }
        }

        public void DrainTo(string project, List<TallyRow> rows)
        {
            for (var i = 0; i < Counts.Length; i++)
            {
                var count = Interlocked.Exchange(ref Counts[i], 0);
                var max = Interlocked.Exchange(ref _max[i], 0);
                if (count == 0 && max == 0)
                    continue;
                long[]? taken = null;
                if (Volatile.Read(ref _buckets[i]) is { } buckets)
                {
                    taken = new long[SpanBuckets.Count];
                    for (var b = 0; b < taken.Length; b++)
                        taken[b] = Interlocked.Exchange(ref buckets[b], 0);
                }
                rows.Add(new TallyRow(project, (Measure)i, count, max, taken));
            }
        }
    }
}
