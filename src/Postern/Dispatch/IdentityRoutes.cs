using System.Security.Cryptography;
using System.Text;
using Postern.Access;
using Postern.Agents;
using Postern.Http;
using Postern.Sessions;
using Postern.Settings;

namespace Postern.Dispatch;

/// <summary>
/// The routes that a person's command-line client calls before it talks to an agent: who the person is, and which
/// agents there are.
/// </summary>
internal sealed class IdentityRoutes(Projects projects, AgentStore agents, ServerAddress address)
{
    private const int MaxAgents = 1000;

    public void Map(Doors doors)
    {
        doors
            .Group("/api/v2", SessionFamily.Instance)
            .Get("/whoami", Credentials.PersonalKey, "any personal key", WhoAmI)
            .WithSummary("Whose personal key this is")
            .Produces<WhoAmIView>()
            .Produces(401);
        doors
            .Group("/api/v1/projects/{ref}/{env}", SessionFamily.Instance)
            .Get("/workers/current", Credentials.PersonalKey, "read:tasks", CurrentWorker)
            .WithSummary("The agents, as tasks of a worker")
            .Produces<CurrentWorkerView>()
            .Produces(401, 403, 404);
    }

    private async Task<IResult> WhoAmI(HttpContext http, ProjectCaller caller)
    {
        caller.DecidedByHandler();
        var key = caller.Authority.Key!.Row;
        var project = await projects.FindAsync(caller.Project);
        // Clients check that this is an e-mail address. A key's name is one when its owner made it so.
        var email = key.Name.Contains('@', StringComparison.Ordinal) ? key.Name : $"{key.Id}@postern.invalid";
        return Reply.Ok(
            new WhoAmIView(key.Id, email, address.Url, new WhoAmIProject(project!.Name, address.Url, "Postern"))
        );
    }

    private async Task<IResult> CurrentWorker(HttpContext http, ProjectCaller caller)
    {
        caller.DecidedByHandler();
        var reference = RequestPath.Segment(http, 3);
        if (
            RequestPath.Segment(http, 4) is not ("dev" or "staging" or "prod" or "preview")
            || reference is null
            || (reference != caller.Project && (await projects.FindAsync(reference))?.Id != caller.Project)
        )
            return new Refusal(404, "Project not found") { ShouldRetry = false };
        if (!caller.Allows("read", "tasks"))
            return SessionFamily.Instance.Forbidden("read:tasks");
        var rows = await agents.ListAsync(caller.Project, "", MaxAgents);
        var tasks = rows.Select(a => new TaskView(
                "task_" + a.Slug,
                a.Slug,
                "agents/" + a.Slug,
                "AGENT",
                Wire.Iso(a.CreatedAt),
                null,
                null
            ))
            .ToList();
        var version = Convert.ToHexStringLower(
            SHA256
                .HashData(Encoding.UTF8.GetBytes(string.Join('\n', rows.Select(a => $"{a.Slug} {a.UpdatedAt}"))))
                .AsSpan(0, 6)
        );
        return Reply.Ok(
            new CurrentWorkerView(
                new WorkerView("worker_" + version, version, "V2", ProductVersion.Text, ProductVersion.Text, tasks),
                new WorkerUrls(address.Url + "/api/v1/runs")
            )
        );
    }
}
