using System.Text.Json;

namespace Postern.Chaos.Audit;

/// <summary>
/// The logs of the nodes and of PostgreSQL. An error of a node is explained by its number and a fault at that time. The
/// only other explanation is a busy machine, for a row that could not be locked.
/// </summary>
internal sealed class NodeLogs(IReadOnlyList<string> nodes, IReadOnlyList<string> postgres)
{
    /// <summary>The faults that explain a log line, by its number.</summary>
    private static readonly Dictionary<int, string> Explained = new()
    {
        [104] = "the database was away or slow while changed keys were looked for; the next look finds them",
        [301] = "a turn whose database was away; its lease runs out and it is taken up again",
        [501] = "a delivery whose database was away; its lease runs out and it is sent again",
        [601] = "a look of a loop while the database was away or slow; it goes on",
        [611] = "a process without descriptors finds no memory anywhere; whoever waited for the writer is told",
        [602] = "what was overdue could not be settled while the database was away; it is tried again",
    };

    /// <summary>
    /// Kestrel's message for a client that disconnects in the middle of its body. The rude actors do that all the time.
    /// </summary>
    private const int BodyGivenUp = 67;

    /// <summary>
    /// A row could not be locked within two seconds. On a busy machine that happens without any fault.
    /// </summary>
    private const string HeldRow = "StorageBusyException";

    /// <summary>With more runnable processes per core than this, the machine is busy.</summary>
    private const double Overloaded = 3;

    private readonly Dictionary<string, long> _read = [];

    public Invariant Errors { get; } = new("no node logs an error that no fault explains");
    public Invariant Deadlocks { get; } = new("PostgreSQL logs no deadlock");

    /// <summary>Reads new lines. Faults at that time, or a little earlier, explain them.</summary>
    public void Look(bool faulty)
    {
        foreach (var file in nodes)
        foreach (var line in NewLines(file))
            LookAtNode(Path.GetFileName(file), line, faulty);
        foreach (var file in postgres.Where(File.Exists))
        foreach (var line in NewLines(file))
            Deadlocks.Look(!line.Contains("deadlock detected", StringComparison.Ordinal), () => line);
    }

    private void LookAtNode(string node, string line, bool faulty)
    {
        if (
            line.Contains("Unhandled exception", StringComparison.Ordinal)
            || line.StartsWith("Fatal error", StringComparison.Ordinal)
        )
        {
            Errors.Look(holds: false, () => $"{node}: {line}");
            return;
        }
        if (!line.StartsWith('{'))
            return;
        JsonElement entry;
        try
        {
            entry = JsonSerializer.Deserialize<JsonElement>(line);
        }
        catch (JsonException)
        {
            return; // A line that kill -9 cut off.
        }
        if (entry.Text("LogLevel") is not ("Error" or "Critical"))
            return;
        var number =
            entry.TryGetProperty("EventId", out var id) && id.ValueKind == JsonValueKind.Number ? id.GetInt32() : -1;
        var explained =
            number == BodyGivenUp
            || (
                Explained.ContainsKey(number)
                && (faulty || (IsOverloaded && line.Contains(HeldRow, StringComparison.Ordinal)))
            );
        Errors.Look(explained, () => $"{node}: {(line.Length <= 1500 ? line : line[..1500])}");
    }

    private static bool IsOverloaded =>
        double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0]) > Overloaded * Environment.ProcessorCount;

    private IEnumerable<string> NewLines(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        stream.Position = _read.GetValueOrDefault(file);
        using var reader = new StreamReader(stream);
        var text = reader.ReadToEnd();
        var whole = text.LastIndexOf('\n') + 1;
        _read[file] = stream.Position - System.Text.Encoding.UTF8.GetByteCount(text.AsSpan(whole));
        return text[..whole].Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
