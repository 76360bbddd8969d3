using Postern.Storage;

namespace Postern.Pages;

/// <summary>A chart that the overview can show.</summary>
/// <param name="Name">As it stands in the address.</param>
/// <param name="Group">Those of a group are shown together.</param>
/// <param name="Title">What it shows, with the unit.</param>
/// <param name="Columns">Of each node where it is of the server.</param>
/// <param name="List">The list of a span, which stands for <c>{0}</c>; null: there is none.</param>
internal sealed record ChartKind(string Name, string Group, string Title, ChartColumn[] Columns, string? List = null)
{
    private const string RunsOfSpan = "/runs?created={0}";
    private const string DeliveriesOfSpan = "/deliveries?created={0}";

    /// <summary>All charts, ordered by group.</summary>
    public static readonly ChartKind[] All =
    [
        new(
            "runs",
            "Runs",
            "Runs, by outcome",
            [
                new("made", Measure.RunsCreated),
                new("succeeded", Measure.RunsSucceeded),
                new("failed", Measure.RunsFailed),
                new("timed out", Measure.RunsTimedOut),
                new("cancelled", Measure.RunsCancelled),
            ],
            RunsOfSpan
        ),
        Spans("latency", "Runs", "How long attempts took, ms", Measure.RunLatency, RunsOfSpan),
        Spans("queued", "Runs", "How long they were queued, ms", Measure.RunQueued, RunsOfSpan),
        Spans(
            "approvals",
            "Approvals",
            "How long questions waited, ms",
            Measure.ApprovalWait,
            "/approvals?status=all&requested={0}"
        ),
        new(
            "captures",
            "Captures",
            "Captures, by what became of them",
            [
                new("taken", Measure.CapturesTaken),
                new("succeeded", Measure.CapturesSucceeded),
                new("failed", Measure.CapturesFailed),
                new("filtered out", Measure.CapturesFiltered),
            ],
            // Captures stand on the pages of their triggers: the runs that they made are headed by these.
            RunsOfSpan
        ),
        new(
            "deliveries",
            "Deliveries",
            "Deliveries, by outcome",
            [
                new("delivered", Measure.DeliveriesDelivered),
                new("put off", Measure.DeliveriesPostponed),
                new("dead", Measure.DeliveriesDead),
            ],
            DeliveriesOfSpan
        ),
        Spans("arrival", "Deliveries", "How long they took to arrive, ms", Measure.DeliveryLatency, DeliveriesOfSpan),
        new(
            "refusals",
            "Refusals",
            "Refusals, by reason",
            [
                new("no credential", Measure.RefusedMissing),
                new("wrong credential", Measure.RefusedCredential),
                new("ended", Measure.RefusedEnded),
                new("wrong signature", Measure.RefusedSignature),
                new("no scope", Measure.RefusedScope),
                new("too many", Measure.RefusedRate),
            ],
            "/doors/refused?at={0}"
        ),
        new("streams", "Streams", "Open streams, at most", [new("open", Measure.OpenStreams)]),
        Spans("commit", "Server", "From the first command of a commit to the disk, ms", Measure.CommitTime),
        new("queue", "Server", "Commands that wait for the writer, at most", [new("waiting", Measure.WriterQueue)]),
        new("memory", "Server", "Memory, MiB", [new("resident", Measure.Memory)]),
        new("errors", "Server", "Answers with 5xx", [new("5xx", Measure.ServerErrors)]),
    ];

    public static ChartKind? Find(string name) => Array.Find(All, chart => chart.Name == name);

    private static ChartKind Spans(string name, string group, string title, Measure measure, string? list = null) =>
        new(name, group, title, [new("p50", measure, 0.5), new("p95", measure, 0.95), new("p99", measure, 0.99)], list);
}
