using Postern.Access;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// Notices to an agent that is called: a run was cancelled, paused or resumed, or its session closed.
/// </summary>
internal sealed class AgentNotices(AgentStore agents, Outbox outbox, MasterKey master) : DeliveryPurpose
{
    public const string PurposeName = "notice";

    private const long GiveUpAfter = 24L * 3600 * RunDeadlines.Second;

    public override string Name => PurposeName;

    /// <summary>
    /// Notifies the run's agent of the change. Only an agent that has the run and is called is notified.
    /// </summary>
    public async ValueTask MovedAsync(Tx tx, RunMoved change)
    {
        var run = change.After;
        if (
            change.Notice is not { } type
            || !change.Before.Dispatched
            || await AgentStore.FindAsync(tx, run.Project, run.Agent) is not { Kind: Agent.Http } agent
        )
            return;
        var body = Outbox.Body(
            type,
            tx.Now,
            json =>
            {
                json.WriteStartObject("run");
                json.WriteString("id", run.Id);
                json.WriteNumber("attempt", run.Attempt);
                json.WriteString("status", run.Status);
                json.WriteString("reason", run.Reason);
                json.WriteEndObject();
                json.WriteString("sessionId", run.Session);
            }
        );
        // In order with the dispatch. But the notice of a run's end must not wait for a dispatch that will never
        // arrive.
        await outbox.EnqueueAsync(
            tx,
            new NewDelivery(
                run.Project,
                PurposeName,
                Agent.EndpointKey(agent.Slug),
                run.Id,
                type,
                body,
                tx.Now + GiveUpAfter,
                Ordered: !run.IsEnded
            )
        );
    }

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
        await HeldRun.LockAsync(tx, delivery.Project, delivery.Subject);

    public override ValueTask EndedAsync(Tx tx, Delivery delivery, Attempt? attempt, string? reason) =>
        DeliveryTrace.AddAsync(tx, delivery, "notice", reason is null, reason);
}
