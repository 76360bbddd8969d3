using Postern.Agents;
using Postern.Deliveries;
using Postern.Runs;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>
/// What people name by words rather than by ids: triggers, agents, endpoints, workflows, and captured requests by what
/// their provider calls the delivery. Each only for who may read it.
/// </summary>
internal sealed class NamedFinds(
    AgentStore agents,
    InboundFinder inbound,
    WebhookEndpoints endpoints,
    WorkflowStore workflows
)
{
    public async ValueTask<List<FoundThing>> OfAsync(PageContext context, string text)
    {
        if (text.Length == 0)
            return [];
        var found = await AgentsAsync(context, text);
        if (context.Caller.Allows("read", "deliveries") && await endpoints.FindAsync(context.Project, text) is { } sub)
            found.Add(new FoundThing("endpoint", sub.Id, context.Of("/endpoints", sub.Id)));
        if (context.Caller.Allows("read", "runs") && await workflows.NewestAsync(context.Project, text) is { } flow)
            found.Add(new FoundThing("workflow", flow.Workflow.Name, context.Of("/workflows", flow.Workflow.Name)));
        if (!context.Caller.Authority.AllowsSome("read", "triggers"))
            return found;
        var isLong = text.Length >= FindPages.LeastCharacters;
        found.AddRange(await TriggersAsync(context, text, isLong));
        if (isLong)
            found.AddRange(await CapturesAsync(context, text));
        return found;
    }

    private async ValueTask<List<FoundThing>> AgentsAsync(PageContext context, string text) =>
        context.Caller.Allows("read", "tasks", text) && await agents.FindAsync(context.Project, text) is { } agent
            ? [new FoundThing("agent", agent.Slug, context.Of("/agents", agent.Slug))]
            : [];

    /// <summary>Returns those that begin with the text. A short text must be the whole name.</summary>
    private async ValueTask<IEnumerable<FoundThing>> TriggersAsync(PageContext context, string text, bool isLong) =>
        from trigger in await inbound.BeginningWithAsync(context.Project, text)
        where context.Caller.Allows("read", "triggers", trigger.Scope)
        where isLong || text == trigger.Id || text == trigger.Scope
        select new FoundThing("trigger", trigger.Scope, TriggerPaths.Of(context, trigger));

    private async ValueTask<List<FoundThing>> CapturesAsync(PageContext context, string delivery)
    {
        var found = new List<FoundThing>();
        foreach (var id in await inbound.OfDeliveryAsync(context.Project, delivery))
            if (
                await inbound.CaptureAsync(context.Project, id) is { } capture
                && context.Caller.Allows("read", "triggers", capture.Trigger.Scope)
            )
                found.Add(new FoundThing("capture", id, context.Of("/captures", id)));
        return found;
    }
}
