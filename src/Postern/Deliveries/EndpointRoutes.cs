using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>The routes for subscribers to events.</summary>
internal sealed class EndpointRoutes(WebhookEndpoints endpoints, EndpointActions actions, Database database)
{
    private const int MaxBody = 64 * 1024;
    private const int IdSegment = 3;

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
        if (!(await actions.CheckAsync(http, caller, id, fields)).Try(out var asked, out var wrong))
            return wrong;
        var fresh = SigningSecret.New();
        return await database.WriteAsync<IResult>(async tx =>
            (await actions.PutAsync(tx, caller.Project, id, asked, fresh)).Try(out var saved, out var refused)
                ? Reply.Json(saved.IsNew ? 201 : 200, EndpointView.Of(saved.Endpoint, saved.Secret))
                : refused
        );
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller) =>
        RequestPath.Segment(http, IdSegment) is { } id && await endpoints.FindAsync(caller.Project, id) is { } found
            ? Reply.Ok(EndpointView.Of(found))
            : Unknown;

    private async Task<IResult> Delete(HttpContext http, ProjectCaller caller)
    {
        if (RequestPath.Segment(http, IdSegment) is not { } id)
            return Unknown;
        return await actions.DeleteAsync(caller, id, http.RequestAborted) is { } refusal ? refusal : Reply.NoContent;
    }

    private async Task<IResult> Rotate(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody, emptyObject: true)).Try(out var fields, out var unreadable))
            return unreadable;
        var overlap = fields.Read<RotateSecret>().OverlapSeconds;
        if (fields.Refusal() is { } wrong)
            return wrong;
        var id = RequestPath.Segment(http, IdSegment) ?? "";
        return await database.WriteAsync<IResult>(async tx =>
            (await actions.RotateAsync(tx, caller.Project, id, overlap)).Try(out var rotated, out var refused)
                ? Reply.Ok(rotated)
                : refused
        );
    }

    private async Task<IResult> Test(HttpContext http, ProjectCaller caller)
    {
        var id = RequestPath.Segment(http, IdSegment) ?? "";
        return await database.WriteAsync<IResult>(async tx =>
            (await actions.TestAsync(tx, caller.Project, id)).Try(out var delivery, out var refused)
                ? Reply.Json(202, new SentTest(delivery))
                : refused
        );
    }

    private static Refusal Unknown => EndpointActions.Unknown;
}
