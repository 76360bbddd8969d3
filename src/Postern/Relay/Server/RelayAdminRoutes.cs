using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// The routes for the owner of a relay: codes, planes, their limits and their end. The commands do the same.
/// </summary>
internal sealed class RelayAdminRoutes(
    Enrolments enrolments,
    RelayPlaneStore planes,
    ConnectionStore connections,
    PlaneEnds ends
)
{
    private const int MaxBody = 8 * 1024;

    public void Map(Doors doors)
    {
        var relay = doors.Group("/relay/v1", ProblemFormat.Instance);
        relay
            .Post("/codes", Credentials.Key, Authorization.Admin, MakeCode)
            .WithSummary("Make a code by which a plane joins, once")
            .Accepts<MakeRelayCode>()
            .Produces<MadeRelayCode>(201)
            .Produces(400, 401, 403, 404);
        relay
            .Get("/planes", Credentials.Key, Authorization.Admin, List)
            .WithSummary("List the planes")
            .Paged()
            .Produces<Page<RelayPlaneView>>()
            .Produces(400, 401, 403);
        relay
            .Get("/planes/{plane}", Credentials.Key, Authorization.Admin, Retrieve)
            .WithSummary("A plane with its connections")
            .Produces<RelayPlaneView>()
            .Produces(400, 401, 403, 404);
        relay
            .Patch("/planes/{plane}", Credentials.Key, Authorization.Admin, SetQuota)
            .WithSummary("Change what a plane may have stored")
            .Accepts<SetRelayQuota>()
            .Produces<RelayPlaneView>()
            .Produces(400, 401, 403, 404);
        relay
            .Delete("/planes/{plane}", Credentials.Key, Authorization.Admin, Revoke)
            .WithSummary("Revoke a plane at once")
            .QueryWord("keep", "What waits for it is kept until it expires.", "true", "false")
            .Produces(204, 400, 401, 403, 404);
    }

    private async Task<IResult> MakeCode(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<MakeRelayCode>();
        if (fields.Refusal() is { } wrong)
            return wrong;
        var made = new NewCode(
            asked.Name,
            TimeSpan.FromSeconds(asked.ForSeconds ?? NewCode.Standard.TotalSeconds),
            asked.Envelopes,
            asked.Bytes,
            asked.Plane
        );
        await caller.EnsureStillAllowedAsync();
        var code = await enrolments.MakeAsync(made, RowOf(http, caller, ""));
        return code.Try(out var text, out var refusal)
            ? Reply.Created(new MadeRelayCode(text.ToString(), made.Name))
            : refusal;
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        var rows = await planes.ListAsync(page.After, page.Limit + 1);
        return Reply.Ok(
            Page.Of(
                rows,
                page.Limit,
                p => RelayPlaneView.Of(p, null, planes.Now),
                p => new Cursor(p.CreatedAt, p.Plane)
            )
        );
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller) => await ShowAsync(PlaneOf(http));

    private async Task<IResult> SetQuota(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<SetRelayQuota>();
        if (fields.Refusal() is { } wrong)
            return wrong;
        var plane = PlaneOf(http);
        await caller.EnsureStillAllowedAsync();
        return await ends.SetQuotaAsync(plane, asked.Envelopes, asked.Bytes, RowOf(http, caller, "relay.quota"))
            ? await ShowAsync(plane)
            : Enrolments.PlaneMissing;
    }

    private async Task<IResult> Revoke(HttpContext http, ProjectCaller caller)
    {
        var keep = http.Request.Query["keep"];
        if (keep is not ([] or ["true"] or ["false"]))
            return Refusal.BadRequest("keep must be true or false", "invalid_keep");
        var row = RowOf(http, caller, "relay.plane.revoked");
        return await ends.RevokeAsync(PlaneOf(http), keep == "true", row) ? Reply.NoContent : Enrolments.PlaneMissing;
    }

    private async Task<IResult> ShowAsync(string plane) =>
        await planes.FindAsync(plane) is { } found
            ? Reply.Ok(RelayPlaneView.Of(found, await connections.ListAsync(plane), planes.Now))
            : Enrolments.PlaneMissing;

    private static string PlaneOf(HttpContext http) => (string)http.Request.RouteValues["plane"]!;

    private static AuditRow RowOf(HttpContext http, ProjectCaller caller, string action) =>
        new(
            caller.Project,
            action,
            caller.Authority.Credential,
            caller.Authority.LoggedActor,
            Reason: http.Request.RouteValues["plane"] as string
        );
}
