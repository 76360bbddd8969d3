using Postern.Access;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Approvals;

/// <summary>Sends the decision to the URL that the asker named, signed with the agent's secret.</summary>
internal sealed class ApprovalCallback(AgentStore agents, ApprovalStore approvals, MasterKey master) : DeliveryPurpose
{
    public const string PurposeName = "approval";

    public override string Name => PurposeName;

    /// <summary>The attempt that asked, and the question.</summary>
    public static string DetailOf(Approval approval) => $"{approval.Attempt} {approval.Id}";

    public override async ValueTask<(PreparedDelivery? Request, string? Why)> PrepareAsync(Delivery delivery)
    {
        var detail = delivery.Detail ?? "";
        if (
            await approvals.FindAsync(delivery.Project, detail[(detail.IndexOf(' ', StringComparison.Ordinal) + 1)..])
            is not { CallbackUrl: { } url } approval
        )
            return (null, "The approval is gone.");
        return await agents.FindAsync(delivery.Project, approval.Agent) is { SealedSecret: { } sealedSecret }
            ? (
                new PreparedDelivery(
                    url,
                    [master.Unprotect(sealedSecret, Agent.SealPurpose(approval.Project, approval.Agent))],
                    delivery.Body
                ),
                null
            )
            : (null, $"The agent {approval.Agent}, whose secret signs it, is gone.");
    }

    public override async ValueTask LockAsync(Tx tx, Delivery delivery) =>
        await HeldRun.LockAsync(tx, delivery.Project, delivery.Subject);

    public override ValueTask AttemptedAsync(Tx tx, Delivery delivery, Attempt attempt) =>
        DeliveryTrace.AddAsync(tx, delivery, "approval_callback", accepted: false, attempt.Explanation);

    public override ValueTask EndedAsync(Tx tx, Delivery delivery, Attempt? attempt, string? reason) =>
        DeliveryTrace.AddAsync(tx, delivery, "approval_callback", reason is null, reason);
}
