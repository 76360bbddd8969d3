using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Postern.Storage;

/// <summary>Metrics of the database: time for a commit, commands in a batch, waiting commands.</summary>
internal static class StorageMeter
{
    private static readonly Histogram<double> CommitSeconds = Meters.Seconds(
        "postern.store.commit.duration",
        "From the first command of a batch to its commit on disk"
    );
    private static readonly Histogram<int> BatchSize = Meters.Sizes(
        "postern.store.batch.size",
        "{command}",
        "Commands committed together"
    );
    private static readonly Counter<long> Repeats = Meters.Counter(
        "postern.store.repeats",
        "{command}",
        "Commands run again after a deadlock or a serialization failure"
    );
    private static Func<int> _depth = () => 0;

    /// <summary>Spans of the store; exported only when an endpoint is configured.</summary>
    public static readonly ActivitySource Source = new(Meters.Name);

    static StorageMeter() =>
        Meters.Gauge("postern.store.queue.depth", () => _depth(), "{command}", "Commands that wait for the writer");

    public static void ObserveQueue(Func<int> depth) => _depth = depth;

    public static void Committed(int commands, TimeSpan took)
    {
        BatchSize.Record(commands);
        CommitSeconds.Record(took.TotalSeconds);
    }

    public static void Repeated() => Repeats.Add(1);
}
