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
/// Who hears of a question and of its answer: subscribers, and the agent that waits, by a delivery. Written in the
/// transaction in which it happens.
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

    /// <summary>Asks for what is read when a question is decided, ahead of it.</summary>
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
        // A run that was ended around its question has its agent told of that end.
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

    /// <summary>A run ends while a person is asked: the question is closed with it.</summary>
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

    /// <summary>What an agent that is called is sent of a decision.</summary>
    /// <param name="now">Microseconds: when it is said.</param>
    public byte[] Body(long now, Approval approval)
    {
        var body = Outbox.Body(EventType.ApprovalDecided.Name, now, json => Write(json, approval, whole: true));
        return body.Length <= Outbox.MaxBody
            ? body
            : Outbox.Body(EventType.ApprovalDecided.Name, now, json => Write(json, approval, whole: false));
    }

    /// <summary>
    /// What was decided; without what came with it where that is too large to be delivered, and then with where to read
    /// it.
    /// </summary>
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
    /// Thin, and without the link that the question is answered by: events are listed, and kept as they are sent.
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
