using Postern.Access;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>Subscribing to events.</summary>
internal sealed class EndpointRoutes(
    WebhookEndpoints endpoints,
    OutboundGuard outbound,
    Outbox outbox,
    Database database,
    PosternOptions options
)
{
    private const int MaxBody = 64 * 1024;
    private const int IdSegment = 3;
    private const int DeleteBatch = 500;

    public void Map(Doors doors)
    {
        var group = doors.Group("/api/v1/webhook-endpoints", ProblemFormat.Instance);
        group
            .Get("", Credentials.Key, Authorization.Needs("read", "deliveries"), List)
            .WithSummary("List the webhook endpoints")
            .Paged()
            .Produces<Page<EndpointView>>()
            .Produces(400, 401, 403);
        group
            .Put("/{endpoint}", Credentials.Key, Authorization.Needs("write", "deliveries"), Put)
            .Audits("endpoint.put")
            .WithSummary("Subscribe an endpoint to events, or change it")
            .Accepts<PutEndpoint>()
            .Produces<EndpointView>()
            .Produces<EndpointView>(201)
            .Produces(400, 401, 403);
        group
            .Get("/{endpoint}", Credentials.Key, Authorization.Needs("read", "deliveries"), Retrieve)
            .WithSummary("Read an endpoint; never its secret")
            .Produces<EndpointView>()
            .Produces(401, 403, 404);
        group
            .Delete("/{endpoint}", Credentials.Key, Authorization.Needs("write", "deliveries"), Delete)
            .Audits("endpoint.deleted")
            .WithSummary("Remove an endpoint; what waits for it is dead")
            .Produces(204, 401, 403, 404);
        group
            .Post("/{endpoint}/rotate-secret", Credentials.Key, Authorization.Needs("write", "deliveries"), Rotate)
            .Audits("endpoint.secret_rotated")
            .WithSummary("Give an endpoint a new secret; both sign for an overlap")
            .MayTake<RotateSecret>()
            .Produces<RotatedSecret>()
            .Produces(400, 401, 403, 404);
        group
            .Post("/{endpoint}/test", Credentials.Key, Authorization.Needs("write", "deliveries"), Test)
            .Audits("endpoint.tested")
            .WithSummary("Send an event of the type endpoint.test")
            .Produces<SentTest>(202)
            .Produces(401, 403, 404, 409);
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        var rows = await endpoints.ListAsync(caller.Project, page.After?.Id ?? "", page.Limit + 1);
        return Reply.Ok(Page.Of(rows, page.Limit, e => EndpointView.Of(e), e => new Cursor(0, e.Id)));
    }

    private async Task<IResult> Put(HttpContext http, ProjectCaller caller)
    {
        var id = RequestPath.Segment(http, IdSegment) ?? "";
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<PutEndpoint>();
        await CheckAsync(http, id, asked, fields);
        if (fields.Refusal() is { } wrong)
            return wrong;
        // A link decides its question: who is sent them is an administrator's to say.
        if (asked.Links && !caller.Allows(RequiredScope.FullAdmin))
            return ProblemFormat.Instance.Forbidden("admin");
        var fresh = asked.Secret ?? SigningSecret.New();
        return await database.WriteAsync(tx => PutAsync(tx, caller.Project, id, asked, fresh));
    }

    /// <summary>What the bounds of its members do not say.</summary>
    private async ValueTask CheckAsync(HttpContext http, string id, PutEndpoint asked, Fields fields)
    {
        Slug.Check(fields, "endpoint", id, 64);
        // What has a fault of its own was not read.
        if (asked.Url is { } url && await outbound.ValidateAsync(http, url) is { } problem)
            fields.Fault("url", problem);
        if (asked.Events is { Count: 0 })
            fields.Fault("events", "must not be empty");
        foreach (var type in asked.Events?.Where(e => !IsSubscribable(e)) ?? [])
            fields.Fault("events", $"holds {type}, which is no event type, prefix.* or *");
        if (asked.Secret is { } secret && !SigningSecret.IsOne(secret))
            fields.Fault("secret", SigningSecret.Authorization);
    }

    /// <param name="tx">Orders it with others of the project.</param>
    /// <param name="project">The tenant.</param>
    /// <param name="id">The endpoint's name.</param>
    /// <param name="asked">What it is to be.</param>
    /// <param name="fresh">Its secret, unless it has one and none was given.</param>
    private async ValueTask<IResult> PutAsync(Tx tx, string project, string id, PutEndpoint asked, string fresh)
    {
        const string all = "webhook_endpoint WHERE project = $1";
        await ProjectQuota.LockAsync(tx, project);
        var old = await WebhookEndpoints.FindAsync(tx, project, id);
        var most = options.Quotas.Endpoints;
        if (old is null && await ProjectQuota.WhyNotOneMoreAsync(tx, project, all, "Endpoints", most) is { } full)
            return full;
        var kept = asked.Secret is null ? old : null;
        var endpoint = new WebhookEndpoint
        {
            Project = project,
            Id = id,
            Url = asked.Url,
            Events = asked.Events,
            SealedSecret = kept?.SealedSecret ?? endpoints.Protect(project, id, fresh),
            PreviousSealed = kept?.PreviousSealed,
            PreviousUntil = kept?.PreviousUntil,
            RateLimit = asked.RateLimit,
            Ordered = asked.Ordered,
            Enabled = asked.Enabled,
            Links = asked.Links,
            CreatedAt = old?.CreatedAt ?? tx.Now,
            UpdatedAt = tx.Now,
        };
        await WebhookEndpoints.PutAsync(tx, endpoint);
        var isShown = kept is null && asked.Secret is null;
        return Reply.Json(old is null ? 201 : 200, EndpointView.Of(endpoint, isShown ? fresh : null));
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller) =>
        RequestPath.Segment(http, IdSegment) is { } id && await endpoints.FindAsync(caller.Project, id) is { } found
            ? Reply.Ok(EndpointView.Of(found))
            : Unknown;

    private async Task<IResult> Delete(HttpContext http, ProjectCaller caller)
    {
        if (
            RequestPath.Segment(http, IdSegment) is not { } id
            || !await database.WriteAsync(tx => WebhookEndpoints.DeleteAsync(tx, caller.Project, id))
        )
            return Unknown;
        // A batch a transaction: any number may wait for it. Nothing new is made for an endpoint that is gone.
        // What is left of them when its caller is stopped ends by itself, once it is due.
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
                return Reply.NoContent;
            http.RequestAborted.ThrowIfCancellationRequested();
        }
    }

    private async Task<IResult> Rotate(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody, emptyObject: true)).Try(out var fields, out var unreadable))
            return unreadable;
        var overlap = fields.Read<RotateSecret>().OverlapSeconds;
        if (fields.Refusal() is { } wrong)
            return wrong;
        var id = RequestPath.Segment(http, IdSegment) ?? "";
        var secret = SigningSecret.New();
        var until = database.Now + (overlap * 1_000_000);
        return await database.WriteAsync(tx =>
            WebhookEndpoints.RotateAsync(tx, caller.Project, id, endpoints.Protect(caller.Project, id, secret), until)
        )
            ? Reply.Ok(new RotatedSecret(secret, Wire.Iso(until)))
            : Unknown;
    }

    private async Task<IResult> Test(HttpContext http, ProjectCaller caller)
    {
        var id = RequestPath.Segment(http, IdSegment) ?? "";
        return await database.WriteAsync<IResult>(async tx =>
        {
            if (await WebhookEndpoints.FindAsync(tx, caller.Project, id) is not { } endpoint)
                return Unknown;
            if (!endpoint.Enabled)
                return new Refusal(
                    409,
                    "The endpoint is disabled: put it with enabled true first.",
                    "endpoint_disabled"
                );
            var body = Outbox.Body("endpoint.test", tx.Now, json => json.WriteString("endpointId", id));
            var delivery = await outbox.EnqueueAsync(
                tx,
                new NewDelivery(
                    caller.Project,
                    EventPurpose.PurposeName,
                    WebhookEndpoints.KeyOf(id),
                    WebhookEndpoints.KeyOf(id),
                    "endpoint.test",
                    body,
                    tx.Now + Outbox.GiveUpAfter,
                    Ordered: false
                )
            );
            return Reply.Json(202, new SentTest(delivery));
        });
    }

    private static bool IsSubscribable(string pattern) =>
        pattern == "*"
        || EventType.All.Any(t => t.Name == pattern)
        || (
            pattern.EndsWith(".*", StringComparison.Ordinal)
            && EventType.All.Any(t => t.Name.StartsWith(pattern[..^1], StringComparison.Ordinal))
        );

    private static Refusal Unknown => new(404, "There is no such endpoint.", "not_found");
}
