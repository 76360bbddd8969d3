using System.Text.Json;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.Http;
using Postern.Runs;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// Tells subscribers, and the waiting agent by a delivery, of a question and its answer, in the same transaction.
/// </summary>
internal sealed class ApprovalEvents(
    Outbox outbox,
    ServerAddress address,
    Reactions<QuestionAsked> asked,
    Reactions<QuestionEnded> ended
)
{
    public async ValueTask RequestedAsync(Tx tx, Approval approval)
    {
        await EmitAsync(tx, EventType.ApprovalRequested, approval);
        if (approval.LinkDigest is not null)
            await asked.RaiseAsync(tx, new QuestionAsked(approval));
    }

    /// <summary>Asks ahead for what is read when a question is decided.</summary>
    public static Ahead<Agent?>? Expect(Tx tx, Approval approval)
    {
        _ = WebhookEndpoints.Expect(tx, approval.Project);
        return approval.CallbackUrl is null ? AgentStore.FindAhead(tx, approval.Project, approval.Agent) : null;
    }

    /// <param name="tx">The decision's.</param>
    /// <param name="approval">As it is from now on.</param>
    /// <param name="agent">Who waits, by <see cref="Expect"/>; null where nobody has to be told.</param>
    public async ValueTask DecidedAsync(Tx tx, Approval approval, Ahead<Agent?>? agent)
    {
        await EmitAsync(
            tx,
            approval.Status == Decision.Expired ? EventType.ApprovalExpired : EventType.ApprovalDecided,
            approval
        );
        if (approval.CallbackUrl is { } url)
        {
            await outbox.EnqueueAsync(
                tx,
                new NewDelivery(
                    approval.Project,
                    ApprovalCallback.PurposeName,
                    "url:" + new Uri(url).GetLeftPart(UriPartial.Authority),
                    approval.Run,
                    EventType.ApprovalDecided.Name,
                    Body(tx.Now, approval),
                    tx.Now + Outbox.GiveUpAfter,
                    ApprovalCallback.DetailOf(approval)
                )
            );
        }
        // When a run was ended during its question, its agent is told of that end.
        else if (agent is not null && await agent is { Kind: Agent.Http })
            await outbox.EnqueueAsync(
                tx,
                new NewDelivery(
                    approval.Project,
                    AgentNotices.PurposeName,
                    Agent.EndpointKey(approval.Agent),
                    approval.Run,
                    EventType.ApprovalDecided.Name,
                    Body(tx.Now, approval),
                    tx.Now + Outbox.GiveUpAfter
                )
            );
        if (approval.LinkDigest is not null)
            await ended.RaiseAsync(tx, new QuestionEnded(approval));
    }

    /// <summary>A run ended while a person was asked: its question is closed.</summary>
    public async ValueTask RunMovedAsync(Tx tx, RunMoved change)
    {
        if (
            !change.Ends
            || change.Before.Approval is not { } id
            || await ApprovalStore.FindAsync(tx, change.After.Project, id) is not { IsPending: true } open
        )
            return;
        var closed = open with
        {
            Status = Decision.Cancelled,
            DecidedAt = tx.Now,
            DecidedWith = change.By.Credential,
            DecidedBy = change.By.Id,
        };
        ApprovalStore.DecidePending(tx, closed);
        await DecidedAsync(tx, closed, null);
    }

    /// <summary>Returns the body of a decision for an agent that is called.</summary>
    /// <param name="now">Microseconds: when it is said.</param>
    public byte[] Body(long now, Approval approval)
    {
        var body = Outbox.Body(EventType.ApprovalDecided.Name, now, json => Write(json, approval, whole: true));
        return body.Length <= Outbox.MaxBody
            ? body
            : Outbox.Body(EventType.ApprovalDecided.Name, now, json => Write(json, approval, whole: false));
    }

    /// <summary>The decision. A response that is too large for a delivery is replaced by its URL.</summary>
    private void Write(Utf8JsonWriter json, Approval approval, bool whole)
    {
        json.WriteString("execution_id", approval.Run);
        json.WriteString("approval_request_id", approval.Id);
        json.WriteNumber("round", approval.Round);
        json.WriteString("decision", approval.Status);
        if (!whole)
        {
            json.WriteBoolean("thin", true);
            json.WriteString("url", $"{address.Url}/api/v1/executions/{approval.Run}/approval-status");
            return;
        }
        if (approval.Feedback is not null)
            json.WriteString("feedback", approval.Feedback);
        if (approval.Response is not null)
            RunJson.Raw(json, "response", approval.Response);
    }

    /// <summary>
    /// Only small values, and not the link that answers the question: events are listed, and stored as they are sent.
    /// </summary>
    private ValueTask EmitAsync(Tx tx, EventType type, Approval approval) =>
        outbox.EmitAsync(
            tx,
            approval.Project,
            type,
            approval.Run,
            json =>
            {
                json.WriteString("approvalRequestId", approval.Id);
                json.WriteString("runId", approval.Run);
                json.WriteString("agent", approval.Agent);
                json.WriteString("sessionId", approval.Session);
                json.WriteNumber("round", approval.Round);
                json.WriteString("status", approval.Status);
                json.WriteString("service", approval.Service);
                json.WriteString("title", approval.Title);
                json.WriteString("requestedAt", Wire.Iso(approval.RequestedAt));
                json.WriteString("expiresAt", Wire.Iso(approval.ExpiresAt));
                if (approval.DecidedAt is not null)
                {
                    json.WriteString("decidedAt", Wire.Iso(approval.DecidedAt));
                    json.WriteString("decidedWith", approval.DecidedWith);
                }
            }
        );
}
