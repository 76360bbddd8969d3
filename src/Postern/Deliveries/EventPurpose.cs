using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>The delivery of an event to a subscriber.</summary>
internal sealed class EventPurpose(WebhookEndpoints endpoints, Outbox outbox, AddLink addLink, Database database)
    : DeliveryPurpose
{
    public const string PurposeName = "event";

    /// <summary>An endpoint that only fails for so long is disabled.</summary>
    private const long MaxFailing = 5L * 86_400 * 1_000_000;

    public override string Name => PurposeName;

    public override async ValueTask<(PreparedDelivery? Request, string? Why)> PrepareAsync(Delivery delivery)
    {
        if (await endpoints.FindAsync(delivery.Project, WebhookEndpoints.IdOf(delivery.Endpoint)) is not { } endpoint)
            return (null, "The endpoint was deleted.");
        if (!endpoint.Enabled)
            return (
                null,
                "The endpoint is disabled" + (endpoint.DisabledReason is null ? "." : ": " + endpoint.DisabledReason)
            );
        var body =
            endpoint.Links && delivery.Type == EventType.ApprovalRequested.Name
                ? await addLink(delivery)
                : delivery.Body;
        return (
            new PreparedDelivery(endpoint.Url, endpoints.SecretsOf(endpoint, database.Now), body, endpoint.RateLimit),
            null
        );
    }

    public override async ValueTask AttemptedAsync(Tx tx, Delivery delivery, Attempt attempt)
    {
        if (
            await WebhookEndpoints.MarkAsync(
                tx,
                delivery.Project,
                WebhookEndpoints.IdOf(delivery.Endpoint),
                failed: true
            )
                is { } since
            && tx.Now - since >= MaxFailing
        )
            await DisableAsync(tx, delivery, "nothing but failure for five days; the last: " + attempt.Explanation);
    }

    public override async ValueTask EndedAsync(Tx tx, Delivery delivery, Attempt? attempt, string? reason)
    {
        if (attempt is null)
            return;
        if (reason is null)
            await WebhookEndpoints.MarkAsync(
                tx,
                delivery.Project,
                WebhookEndpoints.IdOf(delivery.Endpoint),
                failed: false
            );
        else
            await AttemptedAsync(tx, delivery, attempt);
    }

    /// <summary>
    /// Disables the endpoint and emits an event. <see cref="DeliveryKeeper"/> ends its waiting deliveries: a
    /// transaction that records one delivery touches no other, so simultaneous records cannot deadlock.
    /// </summary>
    public override async ValueTask DisableAsync(Tx tx, Delivery delivery, string reason)
    {
        var id = WebhookEndpoints.IdOf(delivery.Endpoint);
        if (!await WebhookEndpoints.DisableAsync(tx, delivery.Project, id, reason))
            return;
        await outbox.EmitAsync(
            tx,
            delivery.Project,
            EventType.EndpointDisabled,
            delivery.Endpoint,
            json =>
            {
                json.WriteString("endpointId", id);
                json.WriteString("reason", reason);
            }
        );
    }

    public override async ValueTask<string?> WhyNotAgainAsync(Tx tx, Delivery delivery) =>
        await WebhookEndpoints.FindAsync(tx, delivery.Project, WebhookEndpoints.IdOf(delivery.Endpoint)) switch
        {
            null => "Its endpoint was deleted.",
            { Enabled: false } => "Its endpoint is disabled: put it again with enabled true, then retry.",
            _ => null,
        };
}
