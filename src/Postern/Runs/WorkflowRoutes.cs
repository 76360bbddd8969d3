using Postern.Access;
using Postern.Http;

namespace Postern.Runs;

/// <summary>Putting and reading workflows.</summary>
internal sealed class WorkflowRoutes(WorkflowStore workflows)
{
    private const int MaxBody = 256 * 1024;
    private const int NameSegment = 3;

    public void Map(Doors doors)
    {
        var group = doors.Group("/api/v1/workflows", ProblemFormat.Instance);
        group
            .Get("", Credentials.Key, Authorization.Needs("read", "runs"), List)
            .WithSummary("List the workflows")
            .Paged()
            .Produces<Page<WorkflowView>>()
            .Produces(400, 401, 403);
        group
            .Put("/{workflow}", Credentials.Key, Authorization.Admin, Put)
            .Audits("workflow.put")
            .WithSummary("Define a workflow; another definition makes its next version")
            .Accepts<PutWorkflow>()
            .Produces<WorkflowView>()
            .Produces<WorkflowView>(201)
            .Produces(400, 401, 403, 409);
        group
            .Get("/{workflow}", Credentials.Key, Authorization.Needs("read", "runs"), Retrieve)
            .WithSummary("Read a workflow's newest version")
            .Produces<WorkflowView>()
            .Produces(401, 403, 404);
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        var rows = new List<WorkflowView>();
        if (page.After is null)
            rows.Add(WorkflowView.Of(Workflow.Agent.Name, 0, WorkflowText.Write(Workflow.Agent), null));
        rows.AddRange(
            (await workflows.ListAsync(caller.Project, page.After?.Id ?? "", page.Limit + 1)).Select(w =>
                WorkflowView.Of(w.Name, w.Version, w.Text, w.CreatedAt)
            )
        );
        // The built-in one comes first, before a cursor that any name follows.
        return Reply.Ok(Page.Of(rows, page.Limit, w => w, w => new Cursor(0, w.Version == 0 ? " " : w.Name)));
    }

    private async Task<IResult> Put(HttpContext http, ProjectCaller caller)
    {
        var name = RequestPath.Segment(http, NameSegment) ?? "";
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        if (!WorkflowText.CheckPut(name, fields).Try(out var workflow, out var wrong))
            return wrong;
        var (version, isNew, createdAt) = await workflows.PutAsync(caller.Project, workflow);
        return Reply.Json(isNew ? 201 : 200, WorkflowView.Of(name, version, WorkflowText.Write(workflow), createdAt));
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller)
    {
        if (
            RequestPath.Segment(http, NameSegment) is not { } name
            || await workflows.NewestAsync(caller.Project, name) is not { } found
        )
            return new Refusal(404, "There is no such workflow.", "not_found");
        return Reply.Ok(WorkflowView.Of(name, found.Workflow.Version, found.Text, found.CreatedAt));
    }
}
