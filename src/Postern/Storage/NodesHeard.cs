namespace Postern.Storage;

/// <summary>
/// How far this node has read the hints of each other node. A node's numbers have no gaps, so a missing hint is
/// noticed. Everything is read once after a gap, when a node is new, when one has fallen silent (it may have died
/// between a commit and its hint), and when hints were deleted before they were read.
/// </summary>
internal sealed class NodesHeard
{
    /// <summary>The topics of a hint that stands for more topics than it can name.</summary>
    public const string Everything = "*";

    /// <summary>After so long without a sign, a node counts as dead. Microseconds.</summary>
    private const long DeadAfter = 2_500_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Other> _others = new(StringComparer.Ordinal);

    /// <summary>The nodes and numbers behind which to read.</summary>
    public (string[] Nodes, long[] Numbers) Cursors
    {
        get
        {
            lock (_gate)
                return ([.. _others.Keys], [.. _others.Values.Select(o => o.Number)]);
        }
    }

    /// <summary>
    /// Handles a notification. Returns true when it is the next hint of a known node, which then counts as heard.
    /// Otherwise the log must be read.
    /// </summary>
    public bool IsNext(string node, long number)
    {
        lock (_gate)
        {
            if (!_others.TryGetValue(node, out var other) || number != other.Number + 1)
                return false;
            other.Number = number;
            return true;
        }
    }

    /// <summary>Handles what was read from the log, ordered by node and number.</summary>
    public Heard Take(IReadOnlyList<HeardHint> read)
    {
        var topics = new HashSet<string>(StringComparer.Ordinal);
        var everything = false;
        lock (_gate)
        {
            foreach (var hints in read.GroupBy(h => h.Node, StringComparer.Ordinal))
            {
                var node = hints.First();
                if (!_others.TryGetValue(node.Node, out var other))
                {
                    // The earlier hints of a new node are not read: everything is read instead.
                    _others[node.Node] = other = new Other { Number = node.Told };
                    everything = true;
                }
                foreach (var hint in hints)
                    everything |= Follow(other, hint, topics);
                // It has told more than could be read: the missing hints were deleted.
                if (node.Number is null && node.Told > other.Number)
                {
                    other.Number = node.Told;
                    everything = true;
                }
                var isDead = node.SilentFor > DeadAfter;
                everything |= isDead && !other.IsDead;
                other.IsDead = isDead;
            }
            var there = read.Select(h => h.Node).ToHashSet(StringComparer.Ordinal);
            foreach (var gone in _others.Keys.Where(node => !there.Contains(node)).ToList())
                _others.Remove(gone);
        }
        return new Heard(topics, everything);
    }

    /// <summary>Returns true when a hint before this one is missing, or this one cannot name its topics.</summary>
    private static bool Follow(Other other, HeardHint hint, HashSet<string> topics)
    {
        // Its notification was handled in the meantime.
        if (hint.Number is not { } number || number <= other.Number)
            return false;
        var hasGap = number != other.Number + 1;
        other.Number = number;
        if (hint.Topics == Everything)
            return true;
        topics.UnionWith(hint.Topics!.Split('\n'));
        return hasGap;
    }

    private sealed class Other
    {
        public long Number { get; set; }

        public bool IsDead { get; set; }
    }
}
