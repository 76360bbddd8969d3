using System.Text;
using Postern.Access;
using Postern.Http;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// The routes for making, reading, changing and removing triggers, for their captured requests, and for starting one by
/// hand.
/// </summary>
internal sealed class TriggerRoutes(
    TriggerStore triggers,
    CaptureStore captures,
    TriggerActions actions,
    ReadCaptureWhys whys,
    Projects projects,
    Database database
)
{
    private const int OwnerSegment = 3;
    private const int IdSegment = 4;
    private const int RequestSegment = 6;

    /// <summary>A body of the largest size in which each character is escaped.</summary>
    private const int MaxReplay = 2 * 1024 * 1024;

    public void Map(Doors doors)
    {
        const Credentials opens = Credentials.Key | Credentials.InternalKey;
        doors
            .Group("/api/triggers", TriggerFamily.Instance)
            .Get("", opens, Authorization.Needs("read", "triggers"), List)
            .WithSummary("List the triggers")
            .Paged()
            .Produces<Envelope<TriggerList>>()
            .Produces(400, 401, 403);
        foreach (var kind in (string[])["user", "org"])
        {
            const string writes = "write:triggers:{trigger}";
            const string reads = "read:triggers:{trigger}";
            var group = doors.Group($"/api/triggers/{kind}/{{owner}}/{{trigger}}", TriggerFamily.Instance);
            group
                .Post("", opens, writes, (http, caller) => Put(http, caller, kind))
                .Audits("trigger.put")
                .WithSummary("Make a trigger, or replace its configuration")
                .Accepts<PutTrigger>()
                .Produces<Envelope<CreatedTrigger>>(201)
                .Produces(400, 401, 403);
            group
                .Get("", opens, reads, (http, caller) => Retrieve(http, caller, kind))
                .WithSummary("Read a trigger; never its secrets")
                .Produces<Envelope<TriggerView>>()
                .Produces(401, 403, 404);
            group
                .Put("", opens, writes, (http, caller) => Update(http, caller, kind))
                .Audits("trigger.changed")
                .WithSummary("Change a trigger: null clears, absent keeps")
                .TakesPartOf<PutTrigger>()
                .Produces<Envelope<TriggerView>>()
                .Produces(400, 401, 403, 404);
            group
                .Delete("", opens, writes, (http, caller) => Delete(http, caller, kind))
                .Audits("trigger.deleted")
                .WithSummary("Remove a trigger with its captures; live runs go on")
                .Produces<Envelope<MessageView>>()
                .Produces(401, 403, 404);
            group
                .Get("/requests", opens, reads, (http, caller) => ListRequests(http, caller, kind))
                .WithSummary("List captured requests, newest first")
                .Paged()
                .QueryWord("status", "What has become of it.", Capture.Statuses)
                .Produces<Envelope<RequestList>>()
                .Produces(400, 401, 403, 404);
            group
                .Get("/requests/{request}", opens, reads, (http, caller) => RetrieveRequest(http, caller, kind))
                .WithSummary("Read a captured request")
                .Produces<Envelope<CaptureView>>()
                .Produces(401, 403, 404);
            group
                .Post(
                    "/requests/{request}/replay",
                    opens,
                    "trigger:triggers:{trigger}",
                    (http, caller) => Replay(http, caller, kind)
                )
                .Audits("capture.replayed")
                .WithSummary("Start a captured request again, as a new one")
                .MayTake<ReplayCapture>()
                .Produces<Envelope<StartedView>>(202)
                .Produces(400, 401, 403, 404, 409, 413, 429);
            group
                .Post("/invoke", opens, "trigger:triggers:{trigger}", (http, caller) => Invoke(http, caller, kind))
                .Audits("trigger.invoked")
                .WithSummary("Fire a schedule now")
                .Produces<Envelope<StartedView>>(202)
                .Produces(400, 401, 403, 404, 409, 429);
        }
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        var rows = await triggers.ListAsync(caller.Project, page.After?.Id ?? "", page.Limit + 1);
        var isDefault = caller.Project == await projects.DefaultAsync();
        return TriggerFamily.Ok(
            200,
            new TriggerList(
                [.. rows.Take(page.Limit).Select(t => TriggerView.Of(t, isDefault, triggers.Relayed))],
                rows.Count > page.Limit ? new Cursor(0, rows[page.Limit - 1].Uid).ToString() : null
            )
        );
    }

    private async Task<IResult> Put(HttpContext http, ProjectCaller caller, string kind)
    {
        if (!Name(http, caller, kind, "write").Try(out var name, out var refusal))
            return refusal;
        if (!(await Fields.ReadAsync(http, TriggerFields.MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var isDefault = caller.Project == await projects.DefaultAsync();
        return await database.WriteAsync<IResult>(async tx =>
            (await actions.PutAsync(tx, caller.Project, name, fields.Again(), By(caller))).Try(
                out var trigger,
                out var refused
            )
                ? TriggerFamily.Ok(
                    201,
                    new CreatedTrigger(
                        name.Id,
                        name.Namespace,
                        "Trigger created successfully",
                        TriggerView.InboundOf(trigger, isDefault)
                    )
                )
                : refused
        );
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller, string kind)
    {
        return (await FindAsync(http, caller, kind, "read")).Try(out var trigger, out var refusal)
            ? TriggerFamily.Ok(
                200,
                TriggerView.Of(trigger, caller.Project == await projects.DefaultAsync(), triggers.Relayed)
            )
            : refusal;
    }

    private async Task<IResult> Update(HttpContext http, ProjectCaller caller, string kind)
    {
        if (!(await FindAsync(http, caller, kind, "write")).Try(out var found, out var refusal))
            return refusal;
        if (!(await Fields.ReadAsync(http, TriggerFields.MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        if (!fields.Root.EnumerateObject().Any())
            return Refusal.BadRequest("No updates provided", "invalid_body");
        var isDefault = caller.Project == await projects.DefaultAsync();
        return await database.WriteAsync<IResult>(async tx =>
            (await actions.ChangeAsync(tx, caller.Project, found.Name, fields.Again(), By(caller))).Try(
                out var trigger,
                out var refused
            )
                ? TriggerFamily.Ok(200, TriggerView.Of(trigger, isDefault, triggers.Relayed))
                : refused
        );
    }

    private async Task<IResult> Delete(HttpContext http, ProjectCaller caller, string kind)
    {
        if (!(await FindAsync(http, caller, kind, "write")).Try(out var trigger, out var refusal))
            return refusal;
        return await database.WriteAsync(tx => TriggerStore.DeleteAsync(tx, trigger))
            ? TriggerFamily.Ok(200, new MessageView("Trigger deleted successfully"))
            : TriggerFamily.NotFound;
    }

    private async Task<IResult> ListRequests(HttpContext http, ProjectCaller caller, string kind)
    {
        if (!(await FindAsync(http, caller, kind, "read")).Try(out var trigger, out var refusal))
            return refusal;
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        var status = http.Request.Query.TryGetValue("status", out var asked) ? asked.ToString() : null;
        if (status is not null && !Capture.Statuses.Contains(status, StringComparer.Ordinal))
            return Refusal.BadRequest("status must be one of " + string.Join(", ", Capture.Statuses), "invalid_filter");
        var rows = await captures.ListAsync(
            trigger.Project,
            trigger.Uid,
            status,
            page.After?.At ?? long.MaxValue,
            page.After?.Id ?? "",
            page.Limit + 1
        );
        return TriggerFamily.Ok(
            200,
            new RequestList(
                [.. rows.Take(page.Limit).Select(CaptureView.Of)],
                rows.Count > page.Limit ? new Cursor(rows[page.Limit - 1].At, rows[page.Limit - 1].Id).ToString() : null
            )
        );
    }

    private async Task<IResult> RetrieveRequest(HttpContext http, ProjectCaller caller, string kind)
    {
        if (!(await FindAsync(http, caller, kind, "read")).Try(out var trigger, out var refusal))
            return refusal;
        return
            RequestPath.Segment(http, RequestSegment) is { } id
            && await captures.FindAsync(trigger.Project, trigger.Uid, id) is { } capture
            ? TriggerFamily.Ok(
                200,
                CaptureView.Of(
                    capture,
                    (await database.ReadAsync(tx => whys(tx, [capture]))).GetValueOrDefault(capture.Id)
                )
            )
            : NoRequest;
    }

    private async Task<IResult> Replay(HttpContext http, ProjectCaller caller, string kind)
    {
        if (!(await FindAsync(http, caller, kind, "trigger")).Try(out var trigger, out var refusal))
            return refusal;
        if (
            RequestPath.Segment(http, RequestSegment) is not { } id
            || await captures.FindAsync(trigger.Project, trigger.Uid, id) is not { } capture
        )
            return NoRequest;
        if (!(await Fields.ReadAsync(http, MaxReplay, emptyObject: true)).Try(out var fields, out var unreadable))
            return unreadable;
        var body = fields.Read<ReplayCapture>().Body is { } text ? Encoding.UTF8.GetBytes(text) : null;
        if (body?.Length > InboundRoutes.MaxBody)
            fields.Fault("body", $"must have at most {InboundRoutes.MaxBody} bytes");
        if (fields.Refusal() is { } wrong)
            return wrong;
        return (await actions.ReplayAsync(trigger, capture, body)).Try(out var taken, out var refused)
            ? TriggerFamily.Ok(202, new StartedView(taken))
            : refused;
    }

    private async Task<IResult> Invoke(HttpContext http, ProjectCaller caller, string kind)
    {
        if (!Name(http, caller, kind, "trigger").Try(out var name, out var refusal))
            return refusal;
        if (await triggers.FindAsync(caller.Project, name) is not { } trigger)
            return new Refusal(404, "NOT_FOUND", "not_found");
        return (await actions.InvokeAsync(trigger)).Try(out var taken, out var refused)
            ? TriggerFamily.Ok(202, new StartedView(taken))
            : refused;
    }

    private async ValueTask<Checked<Trigger>> FindAsync(
        HttpContext http,
        ProjectCaller caller,
        string kind,
        string action
    )
    {
        if (!Name(http, caller, kind, action).Try(out var name, out var refusal))
            return refusal;
        return await triggers.FindAsync(caller.Project, name) is { } trigger ? trigger : TriggerFamily.NotFound;
    }

    private static Checked<TriggerName> Name(HttpContext http, ProjectCaller caller, string kind, string action)
    {
        var owner = RequestPath.Segment(http, OwnerSegment) is { Length: <= 400 } segment
            ? TriggerName.Decode(segment)
            : null;
        if (owner is not { Length: <= 200 } || RequestPath.Segment(http, IdSegment) is not { Length: <= 128 } id)
        {
            caller.DecidedByHandler();
            return TriggerFamily.NotFound;
        }
        var name = new TriggerName(kind, owner, id);
        if (caller.Allows(action, "triggers", name.Scope))
            return name;
        return caller.Allows("read", "triggers", name.Scope)
            ? TriggerFamily.Instance.Forbidden($"{action}:triggers:{name.Scope}")
            : TriggerFamily.NotFound;
    }

    private static Actor By(ProjectCaller caller) => new(caller.Authority.Credential, caller.Authority.LoggedActor);

    private static Refusal NoRequest => new(404, "Request not found", "not_found");
}
