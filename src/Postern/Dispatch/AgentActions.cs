using Postern.Access;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Http;
using Postern.Runs;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>Changes agents, for the API and the console.</summary>
internal sealed class AgentActions(
    RunMachine machine,
    TargetCheck targets,
    MasterKey master,
    Database database,
    PosternOptions options
)
{
    private const int LiveBatch = 100;

    public static Refusal Unknown { get; } = new(404, "There is no such agent.", "not_found");

    /// <summary>Checks a request for an agent as a whole.</summary>
    public async ValueTask<Checked<PutAgent>> CheckAsync(
        HttpContext http,
        ProjectCaller caller,
        string slug,
        Fields fields
    )
    {
        Slug.Check(fields, "slug", slug, 128);
        var asked = fields.Read<PutAgent>();
        CheckKind(asked, fields);
        await targets.CheckAsync(http, fields, asked.Url, asked.Secret);
        return TargetCheck.WhyNot(http, caller, fields, asked.Links == true) is { } refusal ? refusal : asked;
    }

    /// <summary>Only an agent of the kind <c>http</c> is called.</summary>
    private static void CheckKind(PutAgent asked, Fields fields)
    {
        if (asked is { Kind: Agent.Http, Url: null } && fields.Faults.All(f => f.Field != "url"))
            fields.Fault("url", "is required for an http agent");
        if (asked is { Kind: Agent.Pull or Agent.Echo, Url: not null })
            fields.Fault("url", "is for http agents");
    }

    /// <summary>Registers an agent, or changes it.</summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="project">Whose.</param>
    /// <param name="slug">Its name.</param>
    /// <param name="asked">What was checked.</param>
    /// <param name="fresh">The secret where none is given and none is there.</param>
    public async ValueTask<Checked<SavedAgent>> PutAsync(
        Tx tx,
        string project,
        string slug,
        PutAgent asked,
        string fresh
    )
    {
        await ProjectQuota.LockAsync(tx, project);
        if (await AgentStore.FindOtherCaseAsync(tx, project, slug) is { } other)
            return new Refusal(
                409,
                $"There is an agent {other}: names that differ in case alone would share session keys.",
                "agent_exists"
            );
        var old = await AgentStore.FindAsync(tx, project, slug);
        if (
            old is null
            && await ProjectQuota.WhyNotOneMoreAsync(tx, project, AgentStore.OfProject, "Agents", options.Quotas.Agents)
                is { } full
        )
            return full;
        var secret = ChosenSecret.Of(
            asked.Secret,
            fresh,
            old?.SealedSecret,
            text => master.Protect(text, Agent.SealPurpose(project, slug))
        );
        var agent = new Agent
        {
            Project = project,
            Slug = slug,
            Kind = asked.Kind,
            Url = asked.Url,
            SealedSecret = secret.Sealed,
            Settings = SettingsOf(asked),
            CreatedAt = old?.CreatedAt ?? tx.Now,
            UpdatedAt = tx.Now,
        };
        await AgentStore.PutAsync(tx, agent);
        return new SavedAgent(agent, old is null, secret.Shown);
    }

    /// <summary>Removes an agent. Returns why that is refused, or null.</summary>
    /// <param name="caller">Who does it; asked again before each run that is ended.</param>
    /// <param name="slug">Its name.</param>
    /// <param name="force">Its live runs fail; else it is not removed while it has any.</param>
    /// <param name="aborted">The request's.</param>
    public async Task<Refusal?> DeleteAsync(ProjectCaller caller, string slug, bool force, CancellationToken aborted)
    {
        var by = new Actor(caller.Authority.Credential, caller.Authority.LoggedActor);
        while (true)
        {
            caller.EnsureStillAllowed();
            // The agent comes last, in a transaction of its own: no transaction that holds a run's row also holds the
            // agent's.
            var live = await database.WriteAsync<List<Run>?>(async tx =>
            {
                // A change that has read the agent would write it anew, with its old secret.
                await ProjectQuota.LockAsync(tx, caller.Project);
                if (!await AgentStore.LockAsync(tx, caller.Project, slug))
                    return null;
                var found = await RunStore.LiveOfAgentAsync(tx, caller.Project, slug, LiveBatch);
                if (found.Count == 0)
                    await AgentStore.DeleteAsync(tx, caller.Project, slug);
                return found;
            });
            if (live is null)
                return Unknown;
            if (live.Count == 0)
                return null;
            if (!force)
                return new Refusal(
                    409,
                    "The agent has live runs. Wait for them, or give force=1 to fail them.",
                    "agent_in_use"
                );
            foreach (var run in live)
            {
                caller.EnsureStillAllowed();
                // One transaction for each run, with the usual order of locks.
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
            aborted.ThrowIfCancellationRequested();
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
}
