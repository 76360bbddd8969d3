using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Runs;

namespace Postern.Pages;

/// <summary>The workflows: a list, one with its states as a picture, and putting one.</summary>
internal sealed class WorkflowPages(PageWriter writer, FormWrites writes, WorkflowStore workflows) : IPages
{
    public const string Example = """
        {
          "initial": "DRAFT",
          "states": {
            "DRAFT": { "phase": "queued", "to": ["REVIEW", "FAILED"] },
            "REVIEW": { "phase": "running", "to": ["DRAFT", "DONE", "FAILED"], "self": true },
            "DONE": { "phase": "succeeded", "to": [] },
            "FAILED": { "phase": "failed", "to": [] }
          }
        }
        """;
    private const int NameSegment = 2;
    private static readonly JsonSerializerOptions Indented = new(Wire.Json) { WriteIndented = true };

    public void Map(PageDoors pages)
    {
        var reads = Authorization.Needs("read", "runs");
        pages.Page("/workflows", reads, List).WithSummary("The workflows");
        pages
            .Form("/workflows", Authorization.Admin, ["name", "definition"], Put, ConsoleForm.PlaygroundBytes)
            .WithSummary("Define a workflow")
            .Audits("workflow.put");
        pages.Page("/workflows/{workflow}", reads, Show).WithSummary("One workflow");
    }

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http).Try(out var filters, out var wrong))
            return wrong;
        var found = await workflows.ListAsync(context.Project, filters.After?.Id ?? "", filters.Size + 1);
        var rows = found.Take(filters.Size).Select(w => (w.Name, w.Version, w.CreatedAt)).ToList();
        var next = found.Count > rows.Count ? new Cursor(0, rows[^1].Name).ToString() : null;
        if (filters.After is null)
            rows.Insert(0, (Workflow.Agent.Name, 0, 0));
        return await writer.PageAsync<WorkflowsPage, WorkflowsModel>(context, new WorkflowsModel(rows, next));
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (
            RequestPath.Segment(context.Http, NameSegment) is not { } name
            || await workflows.NewestAsync(context.Project, name) is not { } found
        )
            return PageRefusals.NotFound;
        var definition = JsonSerializer.Serialize(
            JsonSerializer.Deserialize<JsonElement>(found.Text, Wire.Json),
            Indented
        );
        var picture =
            found.Workflow.States.Count <= WorkflowPicture.MostStates ? new WorkflowPicture(found.Workflow) : null;
        return await writer.PageAsync<WorkflowPage, WorkflowModel>(
            context,
            new WorkflowModel(found.Workflow, definition, found.CreatedAt, picture)
        );
    }

    private async Task<IResult> Put(PageContext context, ConsoleForm form)
    {
        if (!FormJson.Object(form, "definition").Try(out var definition, out var unreadable))
            return unreadable;
        if (!WorkflowText.CheckPut(form["name"].Trim(), new Fields(definition)).Try(out var workflow, out var wrong))
            return wrong;
        return await writes.AroundAsync(
            context,
            form,
            async () =>
            {
                await workflows.PutAsync(context.Project, workflow);
                return context.Of("/workflows", workflow.Name);
            }
        );
    }
}
