using Postern.Access;
using Postern.Settings;

namespace Postern.Triggers;

/// <summary>The whole public URLs of triggers, to which their senders send.</summary>
internal sealed class TriggerUrls(Projects projects, ServerAddress address)
{
    public async ValueTask<string> OfAsync(Trigger trigger) => address.Url.TrimEnd('/') + await PathOfAsync(trigger);

    /// <summary>The path on this server, with its parts escaped.</summary>
    public async ValueTask<string> PathOfAsync(Trigger trigger) =>
        TriggerView.InboundOf(trigger, trigger.Project == await projects.DefaultAsync());
}
