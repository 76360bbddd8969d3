using Postern.Access;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Http;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>The routes for agents.</summary>
internal sealed class AgentRoutes(AgentStore agents, AgentActions actions, Database database)
{
    private const int MaxBody = 64 * 1024;

    public void Map(Doors doors)
    {
        var group = doors.Group("/api/v1/agents", ProblemFormat.Instance);
        group
            .Get("", Credentials.Key, Authorization.Needs("read", "tasks"), List)
            .WithSummary("List the agents")
            .Paged()
            .Produces<Page<AgentView>>()
            .Produces(400, 401, 403);
        group
            .Put("/{slug}", Credentials.Key, "admin:tasks:{slug}", Put)
            .Audits("agent.put")
            .WithSummary("Register an agent, or change it")
            .Accepts<PutAgent>()
            .Produces<AgentView>(200)
            .Produces<AgentView>(201)
            .Produces(400, 401, 403, 409);
        group
            .Get("/{slug}", Credentials.Key, "read:tasks:{slug}", Retrieve)
            .WithSummary("Read an agent")
            .Produces<AgentView>()
            .Produces(401, 404);
        group
            .Delete("/{slug}", Credentials.Key, "admin:tasks:{slug}", Delete)
            .Audits("agent.deleted")
            .WithSummary("Remove an agent")
            .QueryWord("force", "1: fails its live runs.", "0", "1")
            .Produces(204, 401, 403, 404, 409);
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        var rows = await agents.ListAsync(caller.Project, page.After?.Id ?? "", page.Limit + 1);
        return Reply.Ok(Page.Of(rows, page.Limit, a => AgentView.Of(a, null), a => new Cursor(0, a.Slug)));
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller)
    {
        var slug = RequestPath.Segment(http, 3);
        if (
            slug is null
            || !caller.Allows("read", "tasks", slug)
            || await agents.FindAsync(caller.Project, slug) is not { } agent
        )
            return Unknown(caller);
        var asked = await database.ReadAsync(tx => AgentAsks.LastAsync(tx, agent.Project, agent.Slug));
        return Reply.Ok(AgentView.Of(agent, null, asked));
    }

    private async Task<IResult> Put(HttpContext http, ProjectCaller caller)
    {
        var slug = RequestPath.Segment(http, 3) ?? "";
        if (!caller.Allows("admin", "tasks", slug))
            return ProblemFormat.Instance.Forbidden($"admin:tasks:{slug}");
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        if (!(await actions.CheckAsync(http, caller, slug, fields)).Try(out var asked, out var wrong))
            return wrong;
        var fresh = SigningSecret.New();
        return await database.WriteAsync<IResult>(async tx =>
            (await actions.PutAsync(tx, caller.Project, slug, asked, fresh)).Try(out var saved, out var refused)
                ? Reply.Json(saved.IsNew ? 201 : 200, AgentView.Of(saved.Agent, saved.Secret))
                : refused
        );
    }

    private async Task<IResult> Delete(HttpContext http, ProjectCaller caller)
    {
        var slug = RequestPath.Segment(http, 3) ?? "";
        if (!caller.Allows("admin", "tasks", slug))
            return caller.Allows("read", "tasks", slug)
                ? ProblemFormat.Instance.Forbidden($"admin:tasks:{slug}")
                : Unknown(caller);
        var force = http.Request.Query["force"] == "1";
        return await actions.DeleteAsync(caller, slug, force, http.RequestAborted) is { } refusal
            ? refusal
            : Reply.NoContent;
    }

    private static Refusal Unknown(ProjectCaller caller)
    {
        caller.DecidedByHandler();
        return AgentActions.Unknown;
    }
}
