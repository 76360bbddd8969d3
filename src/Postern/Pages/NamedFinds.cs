using Postern.Agents;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>
/// Finds things that people know by name: triggers, agents, and captured requests by the provider's name of the
/// delivery. Only what the caller may read.
/// </summary>
internal sealed class NamedFinds(AgentStore agents, InboundFinder inbound)
{
    public async ValueTask<List<FoundThing>> OfAsync(PageContext context, string text)
    {
        if (text.Length == 0)
            return [];
        var found = await AgentsAsync(context, text);
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
