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
        var asked = fields.Read<PutAgent>();
        await CheckAsync(http, slug, asked, fields);
        if (fields.Refusal() is { } wrong)
            return wrong;
        // The link decides: who asks is given it by an administrator alone.
        if (asked.Links == true && !caller.Allows(RequiredScope.FullAdmin))
            return ProblemFormat.Instance.Forbidden("admin");
        var fresh = asked.Secret ?? SigningSecret.New();
        return await database.WriteAsync(tx => PutAsync(tx, caller.Project, slug, asked, fresh));
    }

    /// <summary>What its members must be together, and what their bounds do not say.</summary>
    private async ValueTask CheckAsync(HttpContext http, string slug, PutAgent asked, Fields fields)
    {
        Slug.Check(fields, "slug", slug, 128);
        if (asked is { Kind: Agent.Http, Url: null } && fields.Faults.All(f => f.Field != "url"))
            fields.Fault("url", "is required for an http agent");
        if (asked is { Kind: Agent.Pull or Agent.Echo, Url: not null })
            fields.Fault("url", "is for http agents");
        if (asked.Url is { } url && await outbound.ValidateAsync(http, url) is { } problem)
            fields.Fault("url", problem);
        if (asked.Secret is { } secret && !SigningSecret.IsOne(secret))
            fields.Fault("secret", SigningSecret.Authorization);
    }

    /// <param name="tx">Orders it with others of the project.</param>
    /// <param name="project">The tenant.</param>
    /// <param name="slug">The agent's name.</param>
    /// <param name="asked">What it is to be.</param>
    /// <param name="fresh">Its secret, unless it has one and none was given.</param>
    private async ValueTask<IResult> PutAsync(Tx tx, string project, string slug, PutAgent asked, string fresh)
    {
        await ProjectQuota.LockAsync(tx, project);
        if (await AgentStore.FindOtherCaseAsync(tx, project, slug) is { } other)
            return new Refusal(
                409,
                $"There is an agent {other}: names that differ in case alone would share session keys.",
                "agent_exists"
            );
        var old = await AgentStore.FindAsync(tx, project, slug);
        var most = options.Quotas.Agents;
        if (
            old is null
            && await ProjectQuota.WhyNotOneMoreAsync(tx, project, AgentStore.OfProject, "Agents", most) is { } full
        )
            return full;
        // A secret that was made or given is kept until another is given; it is shown when it is made, and never again.
        var kept = asked.Secret is null ? old?.SealedSecret : null;
        var agent = new Agent
        {
            Project = project,
            Slug = slug,
            Kind = asked.Kind,
            Url = asked.Url,
            SealedSecret = kept ?? master.Protect(fresh, Agent.SealPurpose(project, slug)),
            Settings = SettingsOf(asked),
            CreatedAt = old?.CreatedAt ?? tx.Now,
            UpdatedAt = tx.Now,
        };
        await AgentStore.PutAsync(tx, agent);
        var isShown = kept is null && asked.Secret is null;
        return Reply.Json(old is null ? 201 : 200, AgentView.Of(agent, isShown ? fresh : null));
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
