namespace Postern.Storage;

/// <summary>
/// How far a node has heard each of the others. Numbers of a node have no gap, so what is missing is noticed: a gap, a
/// node that is new, one that has fallen silent (it may have died between a commit and its hint), and hints that were
/// deleted before they were read, each mean that everything is looked at once.
/// </summary>
internal sealed class NodesHeard
{
    /// <summary>Topics of one hint that says that there are more than it can name.</summary>
    public const string Everything = "*";

    /// <summary>A node that has not been there for so long is taken for dead. Microseconds.</summary>
    private const long DeadAfter = 2_500_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Other> _others = new(StringComparer.Ordinal);

    /// <summary>The nodes and numbers behind which there may be more.</summary>
    public (string[] Nodes, long[] Numbers) Cursors
    {
        get
        {
            lock (_gate)
                return ([.. _others.Keys], [.. _others.Values.Select(o => o.Number)]);
        }
    }

    /// <summary>
    /// A notification: true when it is the next hint of a node that is known, which is then heard. Otherwise the log
    /// says what it is.
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

    /// <summary>Takes over what was read of the log, in the order of nodes and numbers.</summary>
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
                    // What it told before it was known is not read: everything is looked at instead.
                    _others[node.Node] = other = new Other { Number = node.Told };
                    everything = true;
                }
                foreach (var hint in hints)
                    everything |= Follow(other, hint, topics);
                // It has told more than could be read: what is missing was deleted.
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

    /// <summary>True when something before the hint is missing, or the hint cannot name its topics.</summary>
    private static bool Follow(Other other, HeardHint hint, HashSet<string> topics)
    {
        // Heard by its notification meanwhile.
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
