using Postern.Settings;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// Ends deliveries whose time is over, and removes ended ones after their retention. Any number of nodes may run it.
/// </summary>
internal sealed class DeliveryKeeper(
    Database database,
    DeliveryStore store,
    WebhookEndpoints endpoints,
    DeliveryRecorder recorder,
    PosternOptions options,
    TimeProvider clock,
    ILogger<DeliveryKeeper> log
) : PollingLoop(clock, log)
{
    private const int Batch = 200;

    /// <summary>Microseconds between two polls of disabled endpoints.</summary>
    private const long DisabledEvery = 5_000_000;
    private long _lookedAt;

    protected override async Task PollAsync(CancellationToken stop)
    {
        await AllAsync(store.OverdueAsync, delivery => delivery.Id, EndLateAsync, stop);
        // Nothing is sent to a disabled endpoint, so what waits for it can be ended a little later.
        if (database.Now - _lookedAt < DisabledEvery)
            return;
        _lookedAt = database.Now;
        await AllAsync(
            endpoints.DisabledWithWaitingAsync,
            endpoint => endpoint.Project + "/" + endpoint.Id,
            async endpoint =>
            {
                await EndWaitingAsync(endpoint.Project, endpoint.Id, endpoint.Reason, stop);
                // A locked row is left to the next poll.
                return false;
            },
            stop
        );
    }

    private Task<bool> EndLateAsync(Delivery delivery)
    {
        var why = delivery.Reason is null
            ? "Its time was over before it could be sent."
            : $"Its time was over; the last attempt: {delivery.Reason}";
        return recorder.EndUnsentAsync(delivery, why);
    }

    /// <summary>
    /// Ends everything that waits for a disabled endpoint, in batches. A locked row is left to the next poll.
    /// </summary>
    private async Task EndWaitingAsync(string project, string id, string reason, CancellationToken stop)
    {
        int ended;
        do
        {
            stop.ThrowIfCancellationRequested();
            ended = await database.WriteAsync(async tx =>
                await WebhookEndpoints.IsDisabledAsync(tx, project, id)
                    ? await DeliveryEnd.EndWaitingAsync(
                        tx,
                        project,
                        WebhookEndpoints.KeyOf(id),
                        "The endpoint is disabled: " + reason,
                        Batch
                    )
                    : 0
            );
        } while (ended > 0);
    }

    protected override async Task SweepAsync(CancellationToken stop)
    {
        while (
            await store.SweepAsync(database.Now - (options.Retention.DeliveryDays * 86_400_000_000L), Batch) >= Batch
        )
            stop.ThrowIfCancellationRequested();
    }
}
