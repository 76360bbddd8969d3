namespace Postern.Storage;

/// <summary>The name and the storage of a measure.</summary>
/// <param name="Measure">The measure.</param>
/// <param name="Name">As it is stored and asked for.</param>
/// <param name="Unit"><c>count</c>, <c>ms</c> (spans, kept in buckets) or <c>bytes</c>.</param>
/// <param name="IsLevel">Its greatest value counts, and not how often there was one.</param>
internal sealed record MeasureKind(Measure Measure, string Name, string Unit = MeasureKind.Count, bool IsLevel = false)
{
    public const string Count = "count";
    public const string Milliseconds = "ms";
    public const string Bytes = "bytes";

    /// <summary>All, in the order of <see cref="Storage.Measure"/>.</summary>
    public static readonly MeasureKind[] All =
    [
        new(Measure.RunsCreated, "runs.created"),
        new(Measure.RunsSucceeded, "runs.succeeded"),
        new(Measure.RunsFailed, "runs.failed"),
        new(Measure.RunsCancelled, "runs.cancelled"),
        new(Measure.RunsTimedOut, "runs.timed_out"),
        new(Measure.RunLatency, "runs.latency", Milliseconds),
        new(Measure.RunQueued, "runs.queued", Milliseconds),
        new(Measure.ApprovalWait, "approvals.wait", Milliseconds),
        new(Measure.CapturesTaken, "captures.taken"),
        new(Measure.CapturesFiltered, "captures.filtered"),
        new(Measure.CapturesSucceeded, "captures.succeeded"),
        new(Measure.CapturesFailed, "captures.failed"),
        new(Measure.DeliveriesDelivered, "deliveries.delivered"),
        new(Measure.DeliveriesDead, "deliveries.dead"),
        new(Measure.DeliveriesPostponed, "deliveries.postponed"),
        new(Measure.DeliveryLatency, "deliveries.latency", Milliseconds),
        new(Measure.RefusedMissing, "refused.missing"),
        new(Measure.RefusedCredential, "refused.credential"),
        new(Measure.RefusedEnded, "refused.ended"),
        new(Measure.RefusedSignature, "refused.signature"),
        new(Measure.RefusedScope, "refused.scope"),
        new(Measure.RefusedRate, "refused.rate"),
        new(Measure.OpenStreams, "streams.open", Count, IsLevel: true),
        new(Measure.WriterQueue, "server.queue", Count, IsLevel: true),
        new(Measure.CommitTime, "server.commit", Milliseconds),
        new(Measure.Memory, "server.memory", Bytes, IsLevel: true),
        new(Measure.ServerErrors, "server.errors"),
        new(Measure.ProjectsLeftOut, "server.left_out"),
    ];

    /// <summary>Whether spans are counted, in buckets.</summary>
    public bool IsSpan => Unit == Milliseconds;

    /// <summary>
    /// Whether it belongs to the server and not to a project. It is then kept under <see cref="Tally.Server"/>, one
    /// series for each node.
    /// </summary>
    public bool IsOfServer => Name.StartsWith("server.", StringComparison.Ordinal);

    public static MeasureKind Of(Measure measure) => All[(int)measure];

    public static MeasureKind? Find(string name) => Array.Find(All, kind => kind.Name == name);
}
