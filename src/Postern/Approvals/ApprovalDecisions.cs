using System.Text.Json;
using Postern.Access;
using Postern.Agents;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// Decides questions, for the signed route, the keys, the page and the clock. The decision, the run, its event, the
/// message in its session's transcript, and the deliveries to the agent and the subscribers are one transaction that
/// holds the run's row. Of several decisions at once, one is processed, and the others are told which.
/// </summary>
internal sealed class ApprovalDecisions(RunMachine machine, Conversation conversation, ApprovalEvents events)
{
    /// <summary>The most characters of a rejection's text in the run's reason. The answer contains all of it.</summary>
    private const int MaxReason = 1000;

    /// <param name="tx">The decision's.</param>
    /// <param name="project">The tenant.</param>
    /// <param name="id">The question.</param>
    /// <param name="decided">What was decided.</param>
    /// <param name="mayDecide">
    /// Whether whoever decides may decide this question; one that he may not is unknown to him.</param>
    public async ValueTask<DecideOutcome> DecideAsync(
        Tx tx,
        string project,
        string id,
        Decided decided,
        Func<Approval, bool>? mayDecide = null
    )
    {
        if (await ApprovalStore.FindAsync(tx, project, id) is not { } seen || mayDecide?.Invoke(seen) == false)
            return new DecideOutcome.Unknown();
        // The lock of the run's row puts decisions, reports, cancels and the clock in one order. The question is read
        // again after it, because others may have written it in between.
        var held = HeldRun.LockAhead(tx, project, seen.Run);
        var again = tx.IsAlone ? new Ahead<Approval?>(seen) : ApprovalStore.FindAhead(tx, project, id);
        var agent = ApprovalEvents.Expect(tx, seen);
        if (await held is not { } run || await again is not { } approval)
            return new DecideOutcome.Unknown();
        if (approval.IsOverdue(tx.Now))
        {
            // Its time is over, although the server has not expired it yet.
            var expired = new Decided(Decision.Expired, "server", "server");
            (approval, run) = await SettleAsync(tx, run, approval, expired, agent);
        }
        if (!approval.IsPending)
            return await LateAsync(tx, run, approval, decided);
        if (
            decided.PayloadHash is not null
            && approval.PayloadHash is not null
            && decided.PayloadHash != approval.PayloadHash
        )
        {
            await KeepRefusalAsync(tx, run, approval, decided, "payload_mismatch");
            return new DecideOutcome.OtherPayload();
        }
        (approval, run) = await SettleAsync(tx, run, approval, decided, agent);
        return new DecideOutcome.Processed(approval, run);
    }

    private static async ValueTask<DecideOutcome> LateAsync(Tx tx, Run run, Approval approval, Decided decided)
    {
        if (decided.Word == approval.Status)
            return new DecideOutcome.Already(approval, run);
        await KeepRefusalAsync(tx, run, approval, decided, "decision_conflict");
        return approval.Status switch
        {
            Decision.Expired => new DecideOutcome.Expired(),
            Decision.Cancelled => new DecideOutcome.Cancelled(),
            _ => new DecideOutcome.Conflict(approval),
        };
    }

    private async ValueTask<(Approval Approval, HeldRun Run)> SettleAsync(
        Tx tx,
        HeldRun run,
        Approval asked,
        Decided decided,
        Ahead<Agent?>? agent
    )
    {
        decided = decided with { By = decided.By ?? asked.Service };
        var approval = asked with
        {
            Status = decided.Word,
            DecidedAt = tx.Now,
            DecidedWith = decided.With,
            DecidedBy = decided.By,
            Feedback = decided.Feedback,
            Response = decided.Response,
        };
        ApprovalStore.DecidePending(tx, approval);
        var by = new Actor(decided.With, decided.By!);
        await events.DecidedAsync(tx, approval, agent);
        if (run.Session is not null)
            await conversation.AppendTranscriptAsync(tx, run.Project, run.Session, MessageOf(approval), run.Id);
        Audit.Write(
            tx,
            new AuditRow(
                run.Project,
                "approval.decided",
                decided.With,
                decided.With == "token" ? Audit.Hashed(decided.By!) : decided.By,
                Reason: $"{approval.Status} {run.Id} round {approval.Round}"
            )
        );
        if (Decision.Refuses(approval.Status) && approval.OnReject == Approval.Cancel)
        {
            await RunEvents.AddAsync(
                tx,
                run.Project,
                run.Id,
                seq => new RunEvent
                {
                    Seq = seq,
                    Type = "approval_decided",
                    At = tx.Now,
                    Attempt = approval.Attempt,
                    By = by,
                    From = run.Status,
                    Detail = DetailOf(approval),
                }
            );
            return (
                approval,
                await machine.EndAsync(
                    tx,
                    run.Project,
                    run.Id,
                    Phase.Cancelled,
                    ReasonOf(approval),
                    by,
                    tellAgent: true
                ) ?? run
            );
        }
        var next = await machine.AnswerAsync(tx, run, approval.AsOpen(), by, DetailOf(approval));
        if (run.Session is not null)
            await conversation.ResumeAsync(tx, next);
        return (approval, next);
    }

    private static async ValueTask KeepRefusalAsync(Tx tx, Run run, Approval approval, Decided decided, string code)
    {
        if (await RunEvents.IsFullAsync(tx, run.Project, run.Id))
            return;
        await RunEvents.AddAsync(
            tx,
            run.Project,
            run.Id,
            seq => new RunEvent
            {
                Seq = seq,
                Type = "approval_decision",
                At = tx.Now,
                Attempt = approval.Attempt,
                By = new Actor(decided.With, decided.By ?? approval.Service),
                From = run.Status,
                To = null,
                Accepted = false,
                Code = code,
                Detail = JsonSerializer.Serialize(
                    new
                    {
                        approvalRequestId = approval.Id,
                        round = approval.Round,
                        decision = decided.Word,
                        decided = approval.Status,
                    },
                    Wire.Json
                ),
            }
        );
    }

    /// <summary>Writes the answer into the run's timeline.</summary>
    private static string DetailOf(Approval approval) =>
        JsonSerializer.Serialize(
            new
            {
                approvalRequestId = approval.Id,
                round = approval.Round,
                decision = approval.Status,
                feedback = approval.Feedback,
                decidedWith = approval.DecidedWith,
                decidedBy = approval.DecidedBy,
            },
            Wire.Json
        );

    private static string ReasonOf(Approval approval) =>
        approval switch
        {
            { Status: Decision.Expired } => "The approval expired.",
            { Feedback: { Length: > MaxReason } feedback } =>
                $"The approval was rejected: {Wire.Cut(feedback, MaxReason)}…",
            { Feedback: { Length: > 0 } feedback } => $"The approval was rejected: {feedback}",
            _ => "The approval was rejected.",
        };

    /// <summary>
    /// Returns the decision for readers of the conversation: a sentence, and the details for programs.
    /// </summary>
    private static ChatMessage MessageOf(Approval approval)
    {
        var subject = approval.Title is null ? "The approval" : $"“{approval.Title}”";
        var said = approval.Status switch
        {
            Decision.Approved => "was approved",
            Decision.Rejected => "was rejected",
            Decision.RequestChanges => "is to be changed",
            _ => "was not decided in time",
        };
        return new ChatMessage(
            "system",
            ChatMessage.Write(json =>
            {
                ChatMessage.WriteText(
                    json,
                    $"{subject} {said}{(string.IsNullOrWhiteSpace(approval.Feedback) ? "." : ": " + approval.Feedback)}"
                );
                json.WriteStartObject();
                json.WriteString("type", "approval");
                json.WriteString("approvalRequestId", approval.Id);
                json.WriteNumber("round", approval.Round);
                json.WriteString("decision", approval.Status);
                json.WriteString("decidedWith", approval.DecidedWith);
                json.WriteEndObject();
            })
        );
    }
}
