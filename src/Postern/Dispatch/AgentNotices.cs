using Postern.Access;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// What an agent that is called is told beside its runs: that one was cancelled, paused, resumed, or its session
/// closed.
/// </summary>
internal sealed class AgentNotices(AgentStore agents, MasterKey master) : DeliveryPurpose
{
    public const string PurposeName = "notice";

    public override string Name => PurposeName;

    public override async ValueTask<(PreparedDelivery? Request, string? Why)> PrepareAsync(Delivery delivery)
    {
        var slug = delivery.Endpoint["agent:".Length..];
        return
            await agents.FindAsync(delivery.Project, slug)
                is { Kind: Agent.Http, Url: { } url, SealedSecret: { } sealedSecret }
            ? (
                new PreparedDelivery(
                    url,
                    [master.Unprotect(sealedSecret, Agent.SealPurpose(delivery.Project, slug))],
                    delivery.Body
                ),
                null
            )
            : (null, $"The agent {slug} is no longer one that is called.");
    }

    public override async ValueTask LockAsync(Tx tx, Delivery delivery) =>
        await RunStore.LockAsync(tx, delivery.Project, delivery.Subject);

    public override ValueTask EndedAsync(Tx tx, Delivery delivery, Attempt? attempt, string? reason) =>
        DeliveryTrace.AddAsync(tx, delivery, "notice", reason is null, reason);
}
