namespace Postern.Chaos.Audit;

/// <summary>What a node uses of the machine: memory, descriptors, the write-ahead log.</summary>
internal sealed class Growth(Cluster cluster)
{
    private const long MostResidentKib = 900 * 1024;
    private const int MostDescriptors = 1024;
    private const long MostWalBytes = 256L * 1024 * 1024;
    private readonly List<(int Node, int Start, long Resident)> _samples = [];

    public Invariant Bound { get; } = new("memory, descriptors and the write-ahead log have a bound and do not creep");

    public long Resident { get; private set; }
    public int Descriptors { get; private set; }

    public void Look()
    {
        (Resident, Descriptors) = (0, 0);
        foreach (var node in cluster.Nodes.Where(n => n.Lives))
        {
            try
            {
                var line = File.ReadLines($"/proc/{node.ProcessId}/status")
                    .First(l => l.StartsWith("VmRSS", StringComparison.Ordinal));
                var resident = long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
                var open = Directory.GetFileSystemEntries($"/proc/{node.ProcessId}/fd").Length;
                Bound.Look(resident < MostResidentKib, () => $"node {node.Number} has {resident / 1024} MiB");
                Bound.Look(open <= MostDescriptors, () => $"node {node.Number} has {open} descriptors");
                _samples.Add((node.Number, node.Restarts, resident));
                Resident = Math.Max(Resident, resident);
                Descriptors = Math.Max(Descriptors, open);
            }
            catch (Exception fault)
                when (fault is IOException or InvalidOperationException or UnauthorizedAccessException)
            {
                // It was killed at this moment.
            }
        }
        var wal = new FileInfo(cluster.SqliteFile + "-wal");
        if (wal.Exists)
            Bound.Look(wal.Length < MostWalBytes, () => $"the write-ahead log has {wal.Length:#,0} bytes");
    }

    /// <summary>At the end there are no clients: only the node's own descriptors are open.</summary>
    public void LookAtTheEnd()
    {
        Look();
        Bound.Look(Descriptors < 600, () => $"a node at rest has {Descriptors} descriptors");
        // Between two restarts, the last third of its life needs little more than the middle third.
        foreach (var life in _samples.GroupBy(s => (s.Node, s.Start)).Where(l => l.Count() >= 30))
        {
            var sizes = life.Select(s => s.Resident).ToList();
            var third = sizes.Count / 3;
            var (middle, last) = (Median(sizes[third..(2 * third)]), Median(sizes[(2 * third)..]));
            Bound.Look(
                last < middle * 1.5,
                () => $"node {life.Key.Node} grew from {middle / 1024} to {last / 1024} MiB"
            );
        }
    }

    private static long Median(List<long> values) => values.Order().ElementAt(values.Count / 2);
}
