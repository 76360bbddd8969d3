using Postern.Access;
using Postern.Deliveries;
using Postern.Http;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>Sends many dead deliveries again, or gives up many that are pending.</summary>
internal sealed class DeliveryBulk(
    bool retries,
    Database database,
    DeliveryMatches matches,
    Redelivery again,
    DeliveryRecorder recorder,
    HiddenSubjects hidden
) : BulkWrite(database)
{
    public const string Retry = "deliveries.retry";
    public const string Cancel = "deliveries.cancel";
    private static readonly string[] Statuses = [Delivery.Pending, Delivery.Delivered, Delivery.Dead];

    public override string Name => retries ? Retry : Cancel;

    public override string Audited => retries ? "delivery.retried" : "delivery.cancelled";

    public override RequiredScope RequiredScope { get; } = new("write", "deliveries");

    public override IReadOnlyList<string> Filters { get; } =
    [BulkFilter.Ids, "status", "endpoint", "purpose", "subject", "answer", "created", "olderThan"];

    public override string? WhyUnreadable(BulkFilter filter) =>
        filter.WhyUnreadable("status", "endpoint", "purpose", "subject", "answer")
        ?? filter.WhyNotOf("status", Statuses);

    public override ValueTask<Listed<string>> PageAsync(
        string project,
        BulkScope scope,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    ) => matches.PageAsync(project, FilterOf(scope), after, limit, cancel);

    protected override ValueTask<Skip?> DoAsync(Tx tx, BulkItem item) =>
        retries ? RetryAsync(tx, item) : CancelAsync(tx, item);

    private async ValueTask<Skip?> RetryAsync(Tx tx, BulkItem item)
    {
        var (project, id) = (item.Job.Project, item.Id);
        if (
            await DeliveryStore.FindAsync(tx, project, id) is not { } delivery
            || !await DeliveryMatches.IsFoundAsync(tx, project, id, FilterOf(item.Scope))
        )
            return Skip.Changed;
        // A delivery that has arrived is not sent again, and a pending one is on its way.
        if (delivery.Status != Delivery.Dead)
            return new Skip("not_dead", $"It is {delivery.Status}.");
        return await again.RequeueAsync(tx, delivery) is { } why ? new Skip("not_retryable", why) : null;
    }

    private async ValueTask<Skip?> CancelAsync(Tx tx, BulkItem item)
    {
        var (project, id) = (item.Job.Project, item.Id);
        if (
            await DeliveryStore.PeekAsync(tx, project, id) is not { } delivery
            || !await DeliveryMatches.IsFoundAsync(tx, project, id, FilterOf(item.Scope))
        )
            return Skip.Changed;
        if (delivery.Status != Delivery.Pending)
            return new Skip("not_pending", $"It is {delivery.Status}.");
        var why = item.Job.Reason is { } reason ? "It was cancelled: " + reason : "It was cancelled.";
        return await recorder.EndUnsentAsync(tx, delivery, why)
            ? null
            : new Skip("not_pending", "It ended in this moment.");
    }

    public override async ValueTask<Arrivals?> ArrivedAsync(string project, IReadOnlyList<string> items)
    {
        if (!retries)
            return null;
        var statuses = await matches.StatusesAsync(project, items);
        return new Arrivals(
            statuses.GetValueOrDefault(Delivery.Delivered),
            statuses.GetValueOrDefault(Delivery.Pending)
        );
    }

    private DeliveryFilter FilterOf(BulkScope scope)
    {
        var (from, to) = scope.Made;
        var filter = scope.Filter;
        return new DeliveryFilter(
            filter.One("status"),
            WebhookEndpoints.Named(filter.One("endpoint")),
            filter.One("purpose"),
            filter.One("subject"),
            from,
            // A period in the filter has no end here; the job has the time of its preview.
            to + 1
        )
        {
            Ids = filter.List(BulkFilter.Ids),
            Answer = filter.One("answer"),
            Shown = hidden.ShownTo(scope.WithInternal, "delivery"),
        };
    }
}
