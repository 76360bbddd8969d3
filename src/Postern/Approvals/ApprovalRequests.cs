using System.Text.Json;
using Postern.Access;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// Asks questions. The question, the waiting run, its event and the subscribers' events are one transaction that holds
/// the run's row. Of several requests at once one is accepted, and a repeat finds the open question.
/// </summary>
internal sealed class ApprovalRequests(
    RunMachine machine,
    ApprovalServices services,
    ApprovalEvents events,
    OutboundGuard outbound,
    ApprovalLinks links,
    Database database
)
{
    private const long Hour = 3_600_000_000;

    /// <summary>
    /// Nobody waits longer than the question's own time. It also limits the turn that stands still meanwhile.
    /// </summary>
    private const long TurnSlack = Hour;

    /// <summary>Returns the question of a body, or why it cannot be asked.</summary>
    public async ValueTask<Checked<Question>> ReadAsync(Fields fields, HttpContext http)
    {
        var question = Question.Of(fields.Read<AskApproval>(), fields);
        if (fields.Refusal() is { } wrong)
            return wrong;
        if (question.Asked.CallbackUrl is { } callback && await outbound.ValidateAsync(http, callback) is { } problem)
            return Refusal.BadRequest("callback_url " + problem, "invalid_callback_url");
        return question;
    }

    /// <param name="project">The tenant.</param>
    /// <param name="id">The run.</param>
    /// <param name="agent">The agent that the path says it belongs to; null where it says none.</param>
    /// <param name="question">What is asked.</param>
    /// <param name="asker">Who asks.</param>
    public Task<AskOutcome> AskAsync(string project, string id, string? agent, Question question, Asker asker) =>
        database.WriteAsync(async tx =>
        {
            if (await HeldRun.LockAsync(tx, project, id) is not { } run)
                return new AskOutcome.NoSuchRun();
            if (agent is not null && run.Agent != agent)
                return new AskOutcome.OtherAgent();
            if (asker.Attempt is { } attempt && attempt != run.Attempt)
                return new AskOutcome.Stale(run.Attempt, attempt);
            return await FindRepeatAsync(tx, run, question) ?? await AskAsync(tx, run, question, asker);
        });

    /// <summary>Returns the link by which a person answers.</summary>
    public string LinkOf(Approval approval) => links.Of(approval);

    /// <summary>
    /// Returns the question that this one repeats, or why it cannot be asked now; null when it is new.
    /// </summary>
    private static async ValueTask<AskOutcome?> FindRepeatAsync(Tx tx, Run run, Question question)
    {
        if (question.Asked.ApprovalRequestId is { } id)
        {
            if (
                await ApprovalStore.FindAsync(tx, run.Project, id) is { } known
                && known.Run == run.Id
                && known.PayloadHash == question.PayloadHash
            )
                return new AskOutcome.Asked(known);
            if (run.Approval is null && await ApprovalStore.IsUsedAsync(tx, run.Project, id))
                return new AskOutcome.IdIsUsed();
        }
        if (run.Approval is null)
            return null;
        return
            question.Asked.ApprovalRequestId is null
            && await ApprovalStore.FindAsync(tx, run.Project, run.Approval) is { LinkDigest: not null } open
            && open.AskDigest.AsSpan().SequenceEqual(question.Digest)
            ? new AskOutcome.Asked(open)
            : new AskOutcome.AnotherIsOpen(run.Approval);
    }

    private async ValueTask<AskOutcome> AskAsync(Tx tx, HeldRun run, Question question, Asker asker)
    {
        var by = new Actor(asker.Credential, asker.Actor);
        // A quick worker may ask before its answer to the dispatch is recorded. A worker that asks has accepted the
        // run.
        if (asker.Attempt is not null && run is { Phase: Phase.Queued, Dispatched: true, WorkflowVersion: 0 })
            run = await machine.MoveAsync(tx, run, new Change("taken_on", by, Phase.Running));
        if (run.Phase != Phase.Running)
            return new AskOutcome.NotRunning(run.Status);
        if (services.Validate(run.Project, question.Service, run.Agent) is { } problem)
            return new AskOutcome.Unfit("service", problem);
        if (question.Asked.CallbackUrl is { } callback)
        {
            var agent = await AgentStore.FindAsync(tx, run.Project, run.Agent);
            if (Validate(callback, run, asker, agent) is { } wrong)
                return new AskOutcome.Unfit("callback_url", wrong);
        }
        var round = ((await ApprovalStore.LastOfAsync(tx, run.Project, run.Id))?.Round ?? 0) + 1;
        var approval = Make(run, question, asker, round, tx.Now);
        // Another run may just have asked under this id.
        if (!await ApprovalStore.InsertAsync(tx, approval))
            return new AskOutcome.IdIsUsed();
        await machine.AskAsync(tx, run, approval.AsOpen(), by, DetailOf(approval));
        if (run.Session is not null)
        {
            await Turns.ExtendTurnAsync(tx, run, approval.ExpiresAt + TurnSlack);
            await RunDue.PauseIdleTimerAsync(tx, run.Project, run.Id);
        }
        await events.RequestedAsync(tx, approval);
        return new AskOutcome.Asked(approval);
    }

    private Approval Make(Run run, Question question, Asker asker, long round, long now)
    {
        var id = question.Asked.ApprovalRequestId ?? Id.New(Approval.Prefix, database.Now);
        return new Approval
        {
            Project = run.Project,
            Id = id,
            Run = run.Id,
            Round = round,
            Attempt = run.Attempt,
            Agent = run.Agent,
            Session = run.Session,
            Service = question.Service,
            OnReject = question.Asked.OnReject,
            RequestedAt = now,
            ExpiresAt = now + question.ExpiresIn,
            AskedWith = asker.Credential,
            AskedBy = asker.Actor,
            AskDigest = question.Digest,
            PayloadHash = question.PayloadHash,
            LinkDigest = question.Asked.ApprovalRequestId is null ? links.DigestOf(run.Project, id) : null,
            RequestUrl = question.Asked.ApprovalRequestUrl,
            CallbackUrl = question.Asked.CallbackUrl,
            Title = question.Asked.Title,
            Description = question.Asked.Description,
            Options = question.Asked.Options?.GetRawText(),
            Payload = question.Payload,
        };
    }

    /// <summary>The event of a question with its link, for an endpoint that was put with <c>links</c>.</summary>
    public async ValueTask<byte[]> AddLinkAsync(Delivery delivery)
    {
        var body = System.Text.Json.Nodes.JsonNode.Parse(delivery.Body!, documentOptions: Wire.Kept)!;
        var id = body["data"]?["approvalRequestId"]?.GetValue<string>();
        var approval = id is null
            ? null
            : await database.ReadAsync(tx => ApprovalStore.FindAsync(tx, delivery.Project, id));
        if (approval is not { IsPending: true, LinkDigest: not null })
            return delivery.Body!;
        body["data"]!["requestUrl"] = links.Of(approval);
        return JsonSerializer.SerializeToUtf8Bytes(body, Wire.Json);
    }

    /// <summary>
    /// Returns why the decision cannot be sent to this URL, or null. It is signed with the secret of the agent's own
    /// URL. If a run could choose any URL, it could collect messages that its agent would accept as this server's.
    /// </summary>
    private static string? Validate(string callback, Run run, Asker asker, Agent? agent)
    {
        if (agent is not { SealedSecret: not null })
            return $"cannot be signed: the agent {run.Agent} has no secret; put it once more";
        var free = asker.Attempt is null || agent is not { Kind: Agent.Http, Url: not null };
        return free || OriginOf(callback) == OriginOf(agent.Url!)
            ? null
            : "must be on the origin of the agent's own URL where the run asks; a key may name another";

        static string OriginOf(string url) => new Uri(url).GetLeftPart(UriPartial.Authority);
    }

    /// <summary>Writes the question into the run's timeline.</summary>
    private static string DetailOf(Approval approval) =>
        JsonSerializer.Serialize(
            new
            {
                approvalRequestId = approval.Id,
                round = approval.Round,
                title = approval.Title,
                service = approval.Service,
                payloadHash = approval.PayloadHash,
                expiresAt = Wire.Iso(approval.ExpiresAt),
            },
            Wire.Json
        );
}
