using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Access;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// The pages of agents: the list, one agent with its present state, and registering, changing and removing it.
/// </summary>
internal sealed class AgentPages(
    PageWriter writer,
    FormWrites writes,
    AgentStore agents,
    AgentActions actions,
    DeliveryWorker worker,
    Database database
) : IPages
{
    private const int SlugSegment = 2;
    private static readonly string[] Names =
    [
        "kind",
        "url",
        "secret",
        "concurrency",
        "maxTries",
        "idleSeconds",
        "queuedSeconds",
        "turnSeconds",
        "totalSeconds",
        "links",
    ];

    public void Map(PageDoors pages)
    {
        const string admins = "admin:tasks:{slug}";
        pages.Page("/agents", Authorization.Needs("read", "tasks"), List).WithSummary("The agents");
        pages
            .Page("/agents/new", Authorization.Needs("admin", "tasks"), AskToMake)
            .WithSummary("The form of a new agent");
        pages.Form("/agents", admins, ["slug", .. Names], Make).WithSummary("Register an agent").Audits("agent.put");
        pages.Page("/agents/{slug}", "read:tasks:{slug}", Show).WithSummary("One agent");
        pages.Form("/agents/{slug}/change", admins, Names, Change).WithSummary("Change an agent").Audits("agent.put");
        pages.Page("/agents/{slug}/delete", admins, AskToDelete).WithSummary("Whether to remove an agent");
        pages
            .Form("/agents/{slug}/delete", admins, ["force"], Delete)
            .WithSummary("Remove an agent")
            .Audits("agent.deleted");
    }

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http).Try(out var filters, out var wrong))
            return wrong;
        var rows = await agents.ListAsync(context.Project, filters.After?.Id ?? "", filters.Size + 1);
        Agent[] shown = [.. rows.Take(filters.Size)];
        var asked = await database.ReadAsync(async tx =>
        {
            var last = new Dictionary<string, long?>(StringComparer.Ordinal);
            foreach (var agent in shown.Where(a => a.Kind == Agent.Pull))
                last[agent.Slug] = await AgentAsks.LastAsync(tx, agent.Project, agent.Slug);
            return last;
        });
        return await writer.PageAsync<AgentsPage, AgentsModel>(
            context,
            new AgentsModel(shown, asked, rows.Count > shown.Length ? new Cursor(0, shown[^1].Slug).ToString() : null)
        );
    }

    private async Task<IResult> AskToMake(PageContext context) =>
        await writer.PageAsync<AgentPage, AgentModel>(context, new AgentModel { Agent = null });

    private async Task<IResult> Show(PageContext context)
    {
        if (!(await FindAsync(context, "read")).Try(out var agent, out var refusal))
            return refusal;
        var key = Agent.EndpointKey(agent.Slug);
        var model = await database.ReadAsync(async tx => new AgentModel
        {
            Agent = agent,
            Turns = await SessionStore.OpenTurnsAsync(tx, agent.Project, agent.Slug),
            Jobs = await AgentPlaces.TakenAsync(tx, agent.Project, agent.Slug),
            Asked = await AgentAsks.LastAsync(tx, agent.Project, agent.Slug),
            Last = agent.Kind == Agent.Http ? await DeliveryQueries.LastTriedAsync(tx, agent.Project, key) : null,
        });
        return await writer.PageAsync<AgentPage, AgentModel>(
            context,
            model with
            {
                PausedUntil = agent.Kind == Agent.Http ? worker.PausedUntil(agent.Project, key) : null,
            }
        );
    }

    private async Task<IResult> Make(PageContext context, ConsoleForm form)
    {
        var slug = form["slug"].Trim();
        if (!context.Caller.Allows("admin", "tasks", slug))
            return ConsoleFamily.Instance.Forbidden("admin:tasks:" + slug);
        return await PutAsync(context, form, slug, isNew: true);
    }

    private async Task<IResult> Change(PageContext context, ConsoleForm form) =>
        (await FindAsync(context, "admin")).Try(out var agent, out var refusal)
            ? await PutAsync(context, form, agent.Slug)
            : refusal;

    private async Task<IResult> PutAsync(PageContext context, ConsoleForm form, string slug, bool isNew = false)
    {
        var fields = new Fields(JsonSerializer.SerializeToElement(BodyOf(form), Wire.Json));
        if (!(await actions.CheckAsync(context.Http, context.Caller, slug, fields)).Try(out var asked, out var wrong))
            return wrong;
        string? made = null;
        var fresh = SigningSecret.New();
        var path = context.Of("/agents", slug);
        var result = await writes.WriteAsync(
            context,
            form,
            async tx =>
            {
                if (isNew && await AgentStore.FindAsync(tx, context.Project, slug) is not null)
                    return new Refusal(409, "There is an agent of this name already: change it.", "agent_exists");
                var put = await actions.PutAsync(tx, context.Project, slug, asked, fresh);
                if (!put.Try(out var saved, out var refused))
                    return refused;
                made = saved.Secret;
                return path;
            }
        );
        return made is null || asked.Kind != Agent.Http || result is not Redirect
            ? result
            : await writer.PageAsync<SecretPage, SecretModel>(
                context,
                new SecretModel(
                    "the agent " + slug,
                    made,
                    "The agent verifies by it that a call is from this server.",
                    path,
                    "agents"
                )
            );
    }

    private async Task<IResult> AskToDelete(PageContext context)
    {
        if (!(await FindAsync(context, "admin")).Try(out var agent, out var refusal))
            return refusal;
        var live = await database.ReadAsync(tx =>
            RunStore.LiveOfAgentAsync(tx, agent.Project, agent.Slug, MostCounted)
        );
        var count = live.Count >= MostCounted ? MostCounted + " or more" : live.Count.ToString();
        return await writer.PageAsync<ConfirmPage, ConfirmModel>(
            context,
            new ConfirmModel
            {
                Title = "Remove an agent",
                Text =
                    live.Count == 0
                        ? $"{agent.Slug} gets no more work. It has no live runs."
                        : $"{agent.Slug} has {count} live runs: they fail. This cannot be undone.",
                Action = context.Of("/agents", agent.Slug) + "/delete",
                Button = live.Count == 0 ? "Remove it now" : "Remove it and fail them",
                Back = context.Of("/agents", agent.Slug),
                Section = "agents",
                // Runs that began after the page was shown are not failed: the person was told of fewer.
                Hidden = live.Count == 0 ? [] : [("force", "1")],
                Curl = Curl.Send(
                    "DELETE",
                    $"/api/v1/agents/{Uri.EscapeDataString(agent.Slug)}{(live.Count == 0 ? "" : "?force=1")}"
                ),
            }
        );
    }

    private const int MostCounted = 100;

    private async Task<IResult> Delete(PageContext context, ConsoleForm form)
    {
        if (!(await FindAsync(context, "admin")).Try(out var agent, out var refusal))
            return refusal;
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                await actions.DeleteAsync(context.Caller, agent.Slug, form["force"] == "1", context.Http.RequestAborted)
                    is { } refused
                    ? refused
                    : context.Of("/agents")
        );
    }

    private static JsonObject BodyOf(ConsoleForm form)
    {
        var body = new JsonObject { ["kind"] = form["kind"] };
        foreach (var name in (string[])["url", "secret"])
            if (form.Text(name) is { } text)
                body[name] = text;
        Number(body, form, "concurrency");
        Number(body, form, "idleSeconds");
        var (deadlines, retry) = (new JsonObject(), new JsonObject());
        foreach (var name in (string[])["queuedSeconds", "turnSeconds", "totalSeconds"])
            Number(deadlines, form, name);
        Number(retry, form, "maxTries");
        if (deadlines.Count > 0)
            body["deadlines"] = deadlines;
        if (retry.Count > 0)
            body["retry"] = retry;
        if (form["links"] == "1")
            body["links"] = true;
        return body;
    }

    /// <summary>A text that is no number is left as it is; the fault then names it.</summary>
    private static void Number(JsonObject body, ConsoleForm form, string name)
    {
        if (form.Text(name) is { } text)
            body[name] = long.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                ? number
                : text;
    }

    private async ValueTask<Checked<Agent>> FindAsync(PageContext context, string action)
    {
        var caller = context.Caller;
        caller.DecidedByHandler();
        if (RequestPath.Segment(context.Http, SlugSegment) is not { } slug)
            return PageRefusals.NotFound;
        if (!caller.Allows(action, "tasks", slug))
            return PageRefusals.Denied(caller, action, "tasks", slug);
        return await agents.FindAsync(caller.Project, slug) is { } agent ? agent : PageRefusals.NotFound;
    }
}
