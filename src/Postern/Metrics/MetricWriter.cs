using System.Security.Cryptography;
using Postern.Live;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Metrics;

/// <summary>
/// Stores what this node has counted. At the end of each minute it writes one row for each measure of that minute, and
/// updates the row of its hour with everything that this process has counted in it. A killed node loses at most its
/// last minute; a stopped node writes it. While the database cannot be reached, some minutes wait; further ones are
/// lost, and the log says so.
/// </summary>
internal sealed partial class MetricWriter(
    Database database,
    MetricStore store,
    StreamRegistry streams,
    PosternOptions options,
    TimeProvider clock,
    ILogger<MetricWriter> log
) : PollingLoop(clock, log)
{
    /// <summary>The most rows of one node and minute, including those of the hours.</summary>
    public const int MaxRows = 5_000;
    private const int MaxWaiting = 5;

    /// <summary>Levels are read in one of so many polls.</summary>
    private const int SampleEvery = 5;
    private readonly Dictionary<(string Project, Measure Measure), TallyRow> _minuteRows = [];
    private readonly Dictionary<(string Project, Measure Measure), TallyRow> _hourRows = [];
    private readonly Queue<List<MetricRow>> _waiting = new();
    private readonly SemaphoreSlim _one = new(1);
    private long _minute;
    private long _minuteAt;
    private long _hourAt;
    private int _polls;

    /// <summary>The name of this process: its machine's name, with a part of its own.</summary>
    public string Node { get; } = NewName();

    protected override async Task PollAsync(CancellationToken stop)
    {
        if (_polls++ % SampleEvery == 0)
            Sample();
        var minute = MetricWidth.Minute.StartOf(database.Now);
        if (_minute == 0)
            _minute = minute;
        if (minute > _minute)
            await KeepAsync(minute);
    }

    protected override async Task SweepAsync(CancellationToken stop)
    {
        var now = database.Now;
        await OneAsync("minutes", () => store.RemoveAsync(MetricWidth.Minute, now - (48 * 3600 * 1_000_000L), stop));
        var days = options.Retention.MetricDays * 86_400_000_000L;
        await OneAsync("hours", () => store.RemoveAsync(MetricWidth.Hour, now - days, stop));
    }

    /// <summary>The counts since the last minute are not lost when a server is stopped.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        StorageUse.Begin(StorageUse.Vital);
        try
        {
            await KeepAsync(MetricWidth.Minute.StartOf(database.Now)).WaitAsync(cancellationToken);
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            // The server stops: this minute is lost.
            PollLog.Waits(Log, nameof(MetricWriter), fault.Message);
        }
    }

    /// <summary>Takes the counts up to now and stores them under their minute.</summary>
    /// <param name="next">The minute that counts from here on.</param>
    internal async Task KeepAsync(long next)
    {
        await _one.WaitAsync();
        try
        {
            var minute = _minute == 0 ? MetricWidth.Minute.StartOf(database.Now) : _minute;
            _minute = next;
            Sample();
            Take(minute, database.Tally.Drain());
            while (_waiting.TryPeek(out var rows))
            {
                await store.WriteAsync(Node, rows);
                _waiting.Dequeue();
            }
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>For a level, the greatest value within a minute counts.</summary>
    private void Sample()
    {
        var tally = database.Tally;
        foreach (var (project, open) in streams.OpenByProject())
            tally.Level(project, Measure.OpenStreams, open);
        tally.Level(Tally.Server, Measure.WriterQueue, database.QueuedWrites);
        tally.Level(Tally.Server, Measure.Memory, Environment.WorkingSet);
    }

    private void Take(long minute, List<TallyRow> counted)
    {
        counted = WithoutTheQuietest(counted);
        var hour = MetricWidth.Hour.StartOf(minute);
        if (_minuteAt != minute)
            _minuteRows.Clear();
        if (_hourAt != hour)
            _hourRows.Clear();
        (_minuteAt, _hourAt) = (minute, hour);
        var rows = new List<MetricRow>(counted.Count * 2);
        foreach (var row in counted)
        {
            rows.Add(new MetricRow(MetricWidth.Minute, minute, AddTo(_minuteRows, row)));
            rows.Add(new MetricRow(MetricWidth.Hour, hour, AddTo(_hourRows, row)));
        }
        if (rows.Count > 0)
            _waiting.Enqueue(rows);
        while (_waiting.Count > MaxWaiting)
            Lost(Log, _waiting.Dequeue().Count);
    }

    /// <summary>When there are too many projects, those with the lowest counts are left out.</summary>
    private static List<TallyRow> WithoutTheQuietest(List<TallyRow> counted)
    {
        // One minute and one hour each, and one for what is left out.
        const int most = (MaxRows / 2) - 1;
        if (counted.Count <= most)
            return counted;
        var (kept, leftOut) = (new List<TallyRow>(most), 0);
        var projects = counted
            .GroupBy(row => row.Project, StringComparer.Ordinal)
            .OrderByDescending(rows => rows.Key == Tally.Server)
            .ThenByDescending(rows => rows.Sum(row => row.Count));
        foreach (var rows in projects)
        {
            if (kept.Count + rows.Count() <= most)
                kept.AddRange(rows);
            else
                leftOut++;
        }
        kept.Add(new TallyRow(Tally.Server, Measure.ProjectsLeftOut, leftOut, 0, null));
        return kept;
    }

    private static TallyRow AddTo(Dictionary<(string Project, Measure Measure), TallyRow> rows, TallyRow more)
    {
        var key = (more.Project, more.Measure);
        return rows[key] = rows.TryGetValue(key, out var before) ? Sum(before, more) : more;
    }

    private static TallyRow Sum(TallyRow before, TallyRow more)
    {
        long[]? buckets = null;
        if (more.Buckets is not null)
        {
            buckets = (long[]?)before.Buckets?.Clone() ?? new long[SpanBuckets.Count];
            for (var i = 0; i < buckets.Length; i++)
                buckets[i] += more.Buckets[i];
        }
        return more with
        {
            Count = before.Count + more.Count,
            Max = Math.Max(before.Max, more.Max),
            Buckets = buckets ?? before.Buckets,
        };
    }

    private static string NewName()
    {
        var (machine, own) = (Environment.MachineName, RandomNumberGenerator.GetBytes(4));
        return $"{machine[..Math.Min(machine.Length, 40)]}-{Convert.ToHexStringLower(own)}";
    }

    [LoggerMessage(
        EventId = 210,
        Level = LogLevel.Warning,
        Message = "The metrics of a minute ({Rows} rows) are lost: the database was away for too long"
    )]
    private static partial void Lost(ILogger log, int rows);
}
