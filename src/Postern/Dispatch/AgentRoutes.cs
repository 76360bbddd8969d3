using Postern.Access;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>Registering agents.</summary>
internal sealed class AgentRoutes(
    AgentStore agents,
    RunMachine machine,
    OutboundGuard outbound,
    MasterKey master,
    Database database,
    PosternOptions options
)
{
    private const int MaxBody = 64 * 1024;

    private const int LiveBatch = 100;

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
        if (
            slug.Length is 0 or > 128
            || !char.IsAsciiLetterOrDigit(slug[0])
            || !slug.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
        )
            fields.Fault(
                "slug",
                "must be 1 to 128 letters, digits, dots, underscores and hyphens, the first a letter or digit"
            );
        var asked = fields.Read<PutAgent>();
        var (kind, url, secret) = (asked.Kind, asked.Url, asked.Secret);
        if (kind == Agent.Http && url is null && fields.Faults.All(f => f.Field != "url"))
            fields.Fault("url", "is required for an http agent");
        if (kind is Agent.Pull or Agent.Echo && url is not null)
            fields.Fault("url", "is for http agents");
        var problem = url is null ? null : await outbound.ValidateAsync(http, url);
        if (problem is not null)
            fields.Fault("url", problem);
        if (secret is not null && !SigningSecret.IsOne(secret))
            fields.Fault("secret", SigningSecret.Authorization);
        var settings = SettingsOf(asked);
        if (fields.Refusal() is { } wrong)
            return wrong;
        // The link decides: who asks is given it by an administrator alone.
        if (settings.Links == true && !caller.Allows(RequiredScope.FullAdmin))
            return ProblemFormat.Instance.Forbidden("admin");
        var fresh = secret ?? SigningSecret.New();
        return await database.WriteAsync<IResult>(async tx =>
        {
            await ProjectQuota.LockAsync(tx, caller.Project);
            if (await AgentStore.FindOtherCaseAsync(tx, caller.Project, slug) is { } other)
                return new Refusal(
                    409,
                    $"There is an agent {other}: names that differ in case alone would share session keys.",
                    "agent_exists"
                );
            var old = await AgentStore.FindAsync(tx, caller.Project, slug);
            if (
                old is null
                && await ProjectQuota.WhyNotOneMoreAsync(
                    tx,
                    caller.Project,
                    AgentStore.OfProject,
                    "Agents",
                    options.Quotas.Agents
                )
                    is { } full
            )
                return full;
            // A secret that was made or given is kept until another is given; it is shown when it is made, and never
            // again.
            var keeps = secret is null && old?.SealedSecret is not null;
            var sealedSecret = keeps
                ? old!.SealedSecret
                : master.Protect(fresh, Agent.SealPurpose(caller.Project, slug));
            var agent = new Agent
            {
                Project = caller.Project,
                Slug = slug,
                Kind = kind,
                Url = url,
                SealedSecret = sealedSecret,
                Settings = settings,
                CreatedAt = old?.CreatedAt ?? tx.Now,
                UpdatedAt = tx.Now,
            };
            await AgentStore.PutAsync(tx, agent);
            return Reply.Json(old is null ? 201 : 200, AgentView.Of(agent, keeps || secret is not null ? null : fresh));
        });
    }

    private async Task<IResult> Delete(HttpContext http, ProjectCaller caller)
    {
        var slug = RequestPath.Segment(http, 3) ?? "";
        if (!caller.Allows("admin", "tasks", slug))
            return caller.Allows("read", "tasks", slug)
                ? ProblemFormat.Instance.Forbidden($"admin:tasks:{slug}")
                : Unknown(caller);
        var force = http.Request.Query["force"] == "1";
        var by = new Actor(caller.Authority.Credential, caller.Authority.LoggedActor);
        while (true)
        {
            caller.EnsureStillAllowed();
            // The agent last, and in a transaction of its own: its row is held by nobody who holds a run's.
            var (answer, live) = await database.WriteAsync(async tx =>
            {
                if (!await AgentStore.LockAsync(tx, caller.Project, slug))
                    return (Unknown(caller), []);
                var found = await RunStore.LiveOfAgentAsync(tx, caller.Project, slug, LiveBatch);
                if (found.Count > 0)
                    return (
                        (IResult)
                            new Refusal(
                                409,
                                "The agent has live runs. Wait for them, or give force=1 to fail them.",
                                "agent_in_use"
                            ),
                        found
                    );
                await AgentStore.DeleteAsync(tx, caller.Project, slug);
                return (Reply.NoContent, found);
            });
            if (live.Count == 0 || !force)
                return answer;
            foreach (var run in live)
            {
                caller.EnsureStillAllowed();
                // A transaction a run, which locks what everybody locks in their order.
                await database.WriteAsync(async tx =>
                    await HeldRun.LockAsync(tx, run.Project, run.Id) is { } locked
                        ? await machine.EndAsync(
                            tx,
                            locked.Project,
                            locked.Id,
                            Phase.Failed,
                            "The agent was removed.",
                            by,
                            new Failure("agent_removed", "The agent was removed.")
                        )
                        : null
                );
            }
            http.RequestAborted.ThrowIfCancellationRequested();
        }
    }

    private static AgentSettings SettingsOf(PutAgent asked) =>
        new(
            asked.Concurrency,
            asked.IdleSeconds,
            asked.Deadlines?.QueuedSeconds,
            asked.Deadlines?.TurnSeconds,
            asked.Deadlines?.TotalSeconds,
            asked.Retry?.MaxTries,
            asked.Links
        );

    private static Refusal Unknown(ProjectCaller caller)
    {
        caller.DecidedByHandler();
        return new Refusal(404, "There is no such agent.", "not_found");
    }
}
