using Postern.Agents;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>
/// What people name by words rather than by ids: triggers, agents, and captured requests by what their provider calls
/// the delivery. Each only for who may read it.
/// </summary>
internal sealed class NamedFinds(AgentStore agents, InboundFinder inbound)
{
    public async ValueTask<List<FoundThing>> OfAsync(PageContext context, string text)
    {
        var (found, caller) = (new List<FoundThing>(), context.Caller);
        if (text.Length == 0)
            return found;
        if (caller.Allows("read", "tasks", text) && await agents.FindAsync(context.Project, text) is { } agent)
            found.Add(new FoundThing("agent", agent.Slug, context.Of("/agents", agent.Slug)));
        if (!caller.Authority.AllowsSome("read", "triggers"))
            return found;
        var isLong = text.Length >= FindPages.LeastCharacters;
        foreach (var trigger in await inbound.BeginningWithAsync(context.Project, text))
            if (
                caller.Allows("read", "triggers", trigger.Scope)
                && (isLong || text == trigger.Id || text == trigger.Scope)
            )
                found.Add(new FoundThing("trigger", trigger.Scope, TriggerPaths.Of(context, trigger)));
        if (isLong)
            foreach (var id in await inbound.OfDeliveryAsync(context.Project, text))
                if (
                    await inbound.CaptureAsync(context.Project, id) is { } capture
                    && caller.Allows("read", "triggers", capture.Trigger.Scope)
                )
                    found.Add(new FoundThing("capture", id, context.Of("/captures", id)));
        return found;
    }
}
