using Postern.Access;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>Changes endpoints, for the API and the console.</summary>
internal sealed class EndpointActions(
    WebhookEndpoints endpoints,
    TargetCheck targets,
    Outbox outbox,
    Database database,
    PosternOptions options
)
{
    private const int DeleteBatch = 500;

    public static Refusal Unknown { get; } = new(404, "There is no such endpoint.", "not_found");

    /// <summary>Checks a request for an endpoint as a whole.</summary>
    public async ValueTask<Checked<PutEndpoint>> CheckAsync(
        HttpContext http,
        ProjectCaller caller,
        string id,
        Fields fields
    )
    {
        Slug.Check(fields, "endpoint", id, 64);
        var asked = fields.Read<PutEndpoint>();
        await targets.CheckAsync(http, fields, asked.Url, asked.Secret);
        if (asked.Events is { Count: 0 })
            fields.Fault("events", "must not be empty");
        foreach (var type in asked.Events?.Where(e => !IsSubscribable(e)) ?? [])
            fields.Fault("events", $"holds {type}, which is no event type, prefix.* or *");
        return TargetCheck.WhyNot(http, caller, fields, asked.Links) is { } refusal ? refusal : asked;
    }

    /// <summary>Makes an endpoint, or changes it.</summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="project">Whose.</param>
    /// <param name="id">Its id.</param>
    /// <param name="asked">What was checked.</param>
    /// <param name="fresh">The secret where none is given and none is there.</param>
    public async ValueTask<Checked<SavedEndpoint>> PutAsync(
        Tx tx,
        string project,
        string id,
        PutEndpoint asked,
        string fresh
    )
    {
        await ProjectQuota.LockAsync(tx, project);
        var old = await WebhookEndpoints.FindAsync(tx, project, id);
        if (
            old is null
            && await ProjectQuota.WhyNotOneMoreAsync(
                tx,
                project,
                "webhook_endpoint WHERE project = $1",
                "Endpoints",
                options.Quotas.Endpoints
            )
                is { } full
        )
            return full;
        var secret = ChosenSecret.Of(
            asked.Secret,
            fresh,
            old?.SealedSecret,
            text => endpoints.Protect(project, id, text)
        );
        var kept = secret.IsKept ? old : null;
        var endpoint = new WebhookEndpoint
        {
            Project = project,
            Id = id,
            Url = asked.Url,
            Events = asked.Events,
            SealedSecret = secret.Sealed,
            PreviousSealed = kept?.PreviousSealed,
            PreviousUntil = kept?.PreviousUntil,
            RateLimit = asked.RateLimit,
            Ordered = asked.Ordered,
            Enabled = asked.Enabled,
            Links = asked.Links,
            SecretAt = kept?.SecretAt ?? tx.Now,
            CreatedAt = old?.CreatedAt ?? tx.Now,
            UpdatedAt = tx.Now,
        };
        await WebhookEndpoints.PutAsync(tx, endpoint);
        return new SavedEndpoint(endpoint, old is null, secret.Shown);
    }

    /// <summary>
    /// Removes an endpoint; its waiting deliveries end as dead. Returns why that is refused, or null.
    /// </summary>
    public async Task<Refusal?> DeleteAsync(ProjectCaller caller, string id, CancellationToken aborted)
    {
        var isDeleted = await database.WriteAsync(async tx =>
        {
            // A change that has read the endpoint would write it anew, with its old secret.
            await ProjectQuota.LockAsync(tx, caller.Project);
            return await WebhookEndpoints.DeleteAsync(tx, caller.Project, id);
        });
        if (!isDeleted)
            return Unknown;
        // In batches, because any number may wait. Nothing new is made for a removed endpoint. If the caller is
        // stopped, the remaining ones end by themselves when they are due.
        while (true)
        {
            caller.EnsureStillAllowed();
            var ended = await database.WriteAsync(tx =>
                DeliveryEnd.EndWaitingAsync(
                    tx,
                    caller.Project,
                    WebhookEndpoints.KeyOf(id),
                    "The endpoint was deleted.",
                    DeleteBatch
                )
            );
            if (ended == 0)
                return null;
            aborted.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Sets a new signing secret; the old one also signs during the overlap.</summary>
    public async ValueTask<Checked<RotatedSecret>> RotateAsync(Tx tx, string project, string id, long overlapSeconds)
    {
        // An endpoint that is being changed meanwhile keeps the secret that was read: one of the two writes comes
        // first.
        await ProjectQuota.LockAsync(tx, project);
        var secret = SigningSecret.New();
        var until = tx.Now + (overlapSeconds * 1_000_000);
        return await WebhookEndpoints.RotateAsync(tx, project, id, endpoints.Protect(project, id, secret), until)
            ? new RotatedSecret(secret, Wire.Iso(until))
            : Unknown;
    }

    /// <summary>Sends an event of the type <c>endpoint.test</c>. Returns the delivery's id.</summary>
    public async ValueTask<Checked<string>> TestAsync(Tx tx, string project, string id)
    {
        if (await WebhookEndpoints.FindAsync(tx, project, id) is not { } endpoint)
            return Unknown;
        if (!endpoint.Enabled)
            return new Refusal(409, "The endpoint is disabled: put it with enabled true first.", "endpoint_disabled");
        var body = Outbox.Body("endpoint.test", tx.Now, json => json.WriteString("endpointId", id));
        return await outbox.EnqueueAsync(
            tx,
            new NewDelivery(
                project,
                EventPurpose.PurposeName,
                WebhookEndpoints.KeyOf(id),
                WebhookEndpoints.KeyOf(id),
                "endpoint.test",
                body,
                tx.Now + Outbox.GiveUpAfter,
                Ordered: false
            )
        );
    }

    private static bool IsSubscribable(string pattern) =>
        pattern == "*"
        || EventType.All.Any(t => t.Name == pattern)
        || (
            pattern.EndsWith(".*", StringComparison.Ordinal)
            && EventType.All.Any(t => t.Name.StartsWith(pattern[..^1], StringComparison.Ordinal))
        );
}
