using System.Text.Json;

namespace Postern.Chaos.Audit;

/// <summary>
/// Shares no code with the actors. It knows the ledger's file, the public API, the tables for reading, and the logs of
/// the processes. It checks while the simulation runs, and checks everything at the end.
/// </summary>
internal sealed class Auditor(Cluster cluster, string ledger, string rootKey)
{
    /// <summary>A fault has effects a little longer than it lasts: timeouts, leases, new connections.</summary>
    private const long Aftermath = 20_000;

    private readonly Book _book = new(ledger);
    private readonly Tables _tables = new(cluster.DatabaseDirectly, cluster.SqliteFile);
    private readonly NodeLogs _logs = new([.. cluster.Nodes.Select(n => n.LogFile)], [.. cluster.PostgresLogs]);
    private readonly Growth _growth = new(cluster);
    private readonly Invariant _answers = new("no answer is a 5xx but 503");
    private readonly Invariant _expected = new("no actor is answered what it could not expect");
    private readonly Invariant _revoked = new("a revoked key opens nothing, one second later");
    private readonly Invariant _ends = new("everything that waits comes to an end, or is shown with its reason");
    private readonly Invariant _places = new("places are freed: counts are what their rows say");
    private readonly Invariant _dense = new("numbers are dense in the tables");
    private readonly Invariant _told = new("what subscribers were to be told arrived, under one id");
    private readonly Invariant _lives = new("no node ends by itself");
    private readonly Invariant _looked = new("the auditor could look");
    private readonly Dictionary<string, long> _revokedAt = [];
    private long _lastFault;

    public long Resident => _growth.Resident;

    public int Descriptors => _growth.Descriptors;

    public List<Invariant> All { get; private set; } = [];

    /// <summary>
    /// How long nodes took until they could write at a new primary; empty when the primary did not move.
    /// </summary>
    public string Recoveries
    {
        get
        {
            var took = _book.Of("writes_again").Select(e => e.Number("milliseconds")).Order().ToList();
            var without = _book.Of("no_primary").Select(e => e.Number("milliseconds")).Order().ToList();
            return took.Count == 0
                ? ""
                : $"new primaries: {took.Count / cluster.Nodes.Count}, after {without[0] / 1000.0:0.0} to "
                    + $"{without[^1] / 1000.0:0.0} s; a node wrote again {took[took.Count / 2] / 1000.0:0.0} s later "
                    + $"(half of the times), {took[^1] / 1000.0:0.0} s at most";
        }
    }

    /// <summary>Checks what must hold at any moment.</summary>
    public void LookNow(long now, bool faultUnderWay)
    {
        foreach (var entry in _book.ReadOn())
            Take(entry);
        _logs.Look(faultUnderWay || now - _lastFault < Aftermath);
        _growth.Look();
    }

    public IEnumerable<Invariant> BrokenNow =>
        new[] { _answers, _expected, _revoked, _logs.Errors, _logs.Deadlocks, _growth.Bound }.Where(i => i.Broken > 0);

    /// <summary>Checks everything, after all actors have stopped.</summary>
    public async Task LookAtTheEndAsync(long now, TimeSpan patience)
    {
        LookNow(now, faultUnderWay: false);
        await WaitForTheEndsAsync(patience);
        foreach (var (what, counted, sql) in Waiting.Counters)
            await PollAsync(_places, what, counted, sql);
        foreach (var (what, counted, sql) in Waiting.Gaps)
            await PollAsync(_dense, what, counted, sql);
        using var acknowledged = new Acknowledged(_book, cluster.Nodes[0].Url, rootKey);
        try
        {
            await acknowledged.PollAsync();
        }
        catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException)
        {
            _looked.Look(holds: false, fault.ToString);
        }
        FollowedToTheEnd(acknowledged.Streams);
        foreach (var node in cluster.Nodes)
            _lives.Look(node is { Deaths: 0, Lives: true }, () => $"node {node.Number} ended {node.Deaths} times");
        await DeliveriesAsync();
        foreach (var entry in _book.ReadOn())
            Take(entry);
        _logs.Look(faulty: false);
        _growth.LookAtTheEnd();
        All =
        [
            acknowledged.Lost,
            acknowledged.Twice,
            acknowledged.Streams,
            _dense,
            _ends,
            _told,
            _places,
            _revoked,
            _answers,
            _expected,
            _logs.Errors,
            _growth.Bound,
            _lives,
            _looked,
        ];
        if (cluster.DatabaseDirectly is not null)
            All.Add(_logs.Deadlocks);
    }

    private void Take(JsonElement entry)
    {
        switch (entry.Text("kind"))
        {
            case "server_error":
                _answers.Look(holds: false, entry.GetRawText);
                break;
            case "surprise":
                _expected.Look(holds: false, entry.GetRawText);
                break;
            case "fault":
                _lastFault = entry.Number("ended");
                break;
            case "revoked":
                _revokedAt.TryAdd(entry.Text("key"), entry.Number("at"));
                break;
            case "tried":
                var opened = entry.Number("status") is >= 200 and < 300;
                _revoked.Look(!opened || entry.Number("sent") - _revokedAt[entry.Text("key")] < 1000, entry.GetRawText);
                break;
            default:
                _answers.Checked++;
                _expected.Checked++;
                break;
        }
    }

    private async Task WaitForTheEndsAsync(TimeSpan patience)
    {
        var until = DateTime.UtcNow + patience;
        foreach (var (what, sql) in Waiting.Ends)
        {
            List<object?[]> rows;
            do
            {
                rows = await _tables.RowsAsync(sql);
                if (rows.Count == 0)
                    break;
                await Task.Delay(500);
            } while (DateTime.UtcNow < until);
            foreach (var row in rows)
                _ends.Break($"{what}: {string.Join(" | ", row)}");
        }
        foreach (var table in (string[])["run", "approval", "capture", "session", "delivery"])
            _ends.Checked += Convert.ToInt32((await _tables.RowsAsync($"SELECT COUNT(*) FROM {table}"))[0][0]);
        foreach (var row in await _tables.RowsAsync(Waiting.StuckDeliveries))
            _ends.Break("delivery: " + string.Join(" | ", row));
        foreach (
            var row in await _tables.RowsAsync(
                """
                SELECT id, phase, status
                FROM run
                WHERE phase IN ('failed', 'timed_out') AND reason IS NULL AND failure_code IS NULL
                """
            )
        )
            _ends.Break("a run ended without a reason: " + string.Join(" | ", row));
    }

    private async Task PollAsync(Invariant invariant, string what, string counted, string sql)
    {
        try
        {
            await _tables.NoneAsync(invariant, counted, sql);
        }
        catch (System.Data.Common.DbException fault)
        {
            _looked.Look(holds: false, () => $"{what}: {fault.Message}");
        }
    }

    /// <summary>A follower that was told of the end of a session had received all of it.</summary>
    private void FollowedToTheEnd(Invariant streams)
    {
        var most = _book
            .Of("append")
            .Where(e => e.Text("channel") == "out" && e.Number("seq") >= 0)
            .GroupBy(e => e.Text("session"))
            .ToDictionary(g => g.Key, g => g.Max(e => e.Number("seq")));
        foreach (var one in _book.Of("followed"))
            streams.Look(
                one.Number("next") > most.GetValueOrDefault(one.Text("session"), -1),
                () =>
                    $"{one.Text("stream")} of {one.Text("session")} ended at {one.Number("next")}, and "
                    + $"{most[one.Text("session")]} was acknowledged"
            );
    }

    /// <summary>
    /// The start of each run was reported to the good endpoint at least once, under one id, or its delivery is pending.
    /// </summary>
    private async Task DeliveriesAsync()
    {
        var arrived = _book
            .Of("delivered")
            .Where(d => d.Text("subject").Length > 0)
            .ToLookup(d => (d.Text("subject"), d.Text("type")));
        foreach (var of in arrived)
            _told.Look(
                of.Select(d => d.Text("id")).Distinct().Count() == 1 || of.Key.Item2 is not "run.created",
                () => $"{of.Key} came under {of.Select(d => d.Text("id")).Distinct().Count()} ids"
            );
        var waiting = (
            await _tables.RowsAsync("SELECT subject FROM delivery WHERE endpoint = 'good' AND status <> 'delivered'")
        )
            .Select(r => r[0]!.ToString()!)
            .ToHashSet(StringComparer.Ordinal);
        foreach (var run in _book.Of("run").Select(e => e.Text("run")).Distinct())
            _told.Look(
                arrived.Contains((run, "run.created")) || waiting.Any(s => s.Contains(run, StringComparison.Ordinal)),
                () => $"run.created of {run} never arrived and is not on its way"
            );
    }
}
