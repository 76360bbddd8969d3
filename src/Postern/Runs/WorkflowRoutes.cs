using System.Text.Json;
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
        var group = doors.Group("/api/v1/workflows", ProblemFamily.Instance);
        group.Get("", Opens.Key, Rule.Needs("read", "runs"), List).Says("List the workflows").Paged()
            .Gives<Page<WorkflowView>>().Gives(400, 401, 403);
        group.Put("/{workflow}", Opens.Key, Rule.Admin, Put).Audits("workflow.put").Says("Define a workflow; another definition makes its next version").Takes<PutWorkflow>().Gives<WorkflowView>().Gives<WorkflowView>(201).Gives(400, 401, 403, 409);
        group.Get("/{workflow}", Opens.Key, Rule.Needs("read", "runs"), Retrieve).Says("Read a workflow's newest version").Gives<WorkflowView>().Gives(401, 403, 404);
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        var (page, wrong) = PageQuery.Read(http, 50, 200);
        if (wrong is not null) return wrong;
        var rows = new List<WorkflowView>();
        if (page.After is null) rows.Add(WorkflowView.Of(Workflow.Agent.Name, 0, WorkflowText.Write(Workflow.Agent), null));
        rows.AddRange((await workflows.ListAsync(caller.Project, page.After?.Id ?? "", page.Limit + 1)).Select(w => WorkflowView.Of(w.Name, w.Version, w.Text, w.CreatedAt)));
        // The built-in one comes first, before a cursor that any name follows.
        return Reply.Ok(Page.Of(rows, page.Limit, w => w, w => new Cursor(0, w.Version == 0 ? " " : w.Name)));
    }

    private async Task<IResult> Put(HttpContext http, ProjectCaller caller)
    {
        var name = RequestPath.Segment(http, NameSegment) ?? "";
        var (fields, unreadable) = await Fields.ReadAsync(http, MaxBody);
        if (fields is null) return unreadable!;
        if (name.Length is 0 or > 64 || !char.IsAsciiLetterOrDigit(name[0]) || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
            fields.Fault("workflow", "must be named with 1 to 64 letters, digits, dots, underscores and hyphens, the first a letter or digit");
        var workflow = WorkflowText.Check(name, fields);
        if (fields.Refusal() is { } wrong) return wrong with { Code = "invalid_workflow", Extra = [("errors", fields.Faults.Select(f => $"{f.Field} {f.Problem}"))] };
        if (name == Workflow.Agent.Name) return new Refusal(409, "The workflow agent is built in: give yours another name.", "built_in");
        var (version, isNew, createdAt) = await workflows.PutAsync(caller.Project, workflow!);
        return Reply.Json(isNew ? 201 : 200, WorkflowView.Of(name, version, WorkflowText.Write(workflow!), createdAt));
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller)
    {
        if (RequestPath.Segment(http, NameSegment) is not { } name || await workflows.NewestAsync(caller.Project, name) is not { } found) return new Refusal(404, "There is no such workflow.", "not_found");
        return Reply.Ok(WorkflowView.Of(name, found.Workflow.Version, found.Text, found.CreatedAt));
    }
}

[Strict]
internal sealed record PutWorkflow(
    [Text("The state that runs begin in.", 1, 64)] string Initial,
    [Member("The states by their names, at most 200.")] IReadOnlyDictionary<string, PutWorkflowState> States,
    [Items("Artifacts that must be there before a state is reached.", 0, 200)] IReadOnlyList<Checkpoint>? Checkpoints,
    [Member("The names of artifacts, where they are fixed.")] PutArtifacts? Artifacts,
    [Member("Seconds that a run may be in a state, by its name; 1 to 2592000.")]
    IReadOnlyDictionary<string, long>? Deadlines);

[Strict]
internal sealed record PutWorkflowState(
    [Word(
        "What the state means.",
        Runs.Phase.Queued, Runs.Phase.Running, Runs.Phase.Waiting, Runs.Phase.Paused,
        Runs.Phase.Succeeded, Runs.Phase.Failed, Runs.Phase.Cancelled, Runs.Phase.TimedOut)]
    string Phase,
    [Texts("The states that a report may move to from here.", 200, 64)] IReadOnlyList<string> To,
    [Member("Whether a report may name the state that the run is in.")] bool? Self);

[Strict]
internal sealed record PutArtifacts(
    [Texts("Artifacts that are written once.", 100, 128)] IReadOnlyList<string>? Immutable,
    [Texts("Artifacts that may be written anew.", 100, 128)] IReadOnlyList<string>? Mutable);

/// <summary>A definition as it was put, with its name and version; version 0 is built in.</summary>
internal sealed record WorkflowView(
    [Member("The workflow's name.")] string Name,
    [Member("Its version; 0 is built in.")] long Version,
    [At("When the version was made; null for a built-in one.")] string? CreatedAt,
    [Member("The state that runs begin in.")] string Initial,
    [Chosen("The states by their names, as they were put.")] JsonElement States,
    [Chosen("Artifacts that must be there before a state is reached.", "array")] JsonElement? Checkpoints,
    [Chosen("The names of artifacts, where they are fixed.")] JsonElement? Artifacts,
    [Chosen("Seconds that a run may be in a state, by its name.")] JsonElement? Deadlines)
{
    public static WorkflowView Of(string name, long version, string text, long? createdAt)
    {
        var definition = JsonSerializer.Deserialize<JsonElement>(text, Wire.Json);
        return new WorkflowView(name, version, createdAt is > 0 ? Wire.Iso(createdAt) : null, definition.GetProperty("initial").GetString()!, definition.GetProperty("states"), Member("checkpoints"), Member("artifacts"), Member("deadlines"));

        JsonElement? Member(string member) => definition.TryGetProperty(member, out var value) ? value : null;
    }
}
