using System.Text;
using System.Text.Json;
using Postern.Access;
using Postern.Deliveries;
using Postern.Http;
using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// The routes for decisions: from outside with a signature only, inside with a key or token that has the right by name.
/// A key that asked cannot answer itself, nor can the run.
/// </summary>
internal sealed class DecisionRoutes(
    ApprovalDecisions decisions,
    ApprovalServices services,
    ApprovalStore approvals,
    Projects projects,
    SenderGate gate,
    SelfApproval selfApproval,
    Database database
)
{
    private const int MaxMessage = 1024 * 1024;
    private const int MaxBody = 512 * 1024;
    private const int RunSegment = 3;
    private const int ProjectSegment = 4;
    private const string AllowedValues = "must be approved, rejected, request_changes, or expired";

    public void Map(Doors doors)
    {
        var webhooks = doors.Group("/api/v1/webhooks/approval-response", ApprovalFamily.Instance);
        foreach (var path in (string[])["", "/{project}"])
            webhooks
                .Post(path, Credentials.Signature, "questions of the approval service that signs", Take)
                .Relayed(RelayClass.Approvals)
                .WithSummary("An approval service's decision")
                .Accepts<ApprovalDecided>()
                .Produces<DecisionProcessed>()
                .Produces<DecisionKnown>()
                .Produces(400, 401, 404, 409, 410, 413, 503);
        doors
            .Group("/api/v1/executions", ApprovalFamily.Instance)
            .Post(
                "/{run}/approval-response",
                Credentials.Key | Credentials.Token,
                "write:approvals:{approval}, granted by name",
                Decide
            )
            .WithSummary("Decide what a run waits for")
            .Accepts<DecideApproval>()
            .Produces<DecisionProcessed>()
            .Produces<DecisionKnown>()
            .Produces(400, 401, 403, 404, 409, 410);
    }

    /// <summary>The signed route. Until the signature is verified, nothing is parsed and only memory is read.</summary>
    private async Task<IResult> Take(HttpContext http)
    {
        var project = RequestPath.Segment(http, ProjectSegment) ?? await projects.DefaultAsync() ?? "";
        var configured = services.Of(project);
        // About a project that the path names nothing is revealed, not even whether it exists: the answer is that the
        // signature is wrong.
        if (configured.Count == 0 && RequestPath.Segment(http, ProjectSegment) is null)
            return new Refusal(503, "approval webhook not configured");
        if (!(await RequestBody.ReadAsync(http, MaxMessage)).Try(out var body, out var tooLarge))
            return tooLarge;
        using (body)
        {
            // A secret that was replaced while the body was arriving no longer counts.
            configured = services.Of(project);
            // All are compared, so that the time reveals nothing.
            var secrets = configured.Sum(s => s.Secrets.Count);
            var signed = await gate.VerifyAsync(
                http,
                body.Length,
                secrets,
                () => ServicesBehind(configured, http.Request.Headers, body, Arrival.InstantOf(http, database.Now))
            );
            if (signed is null)
                return VerificationPlaces.Busy;
            if (signed.Count == 0)
                return gate.Refuse(http, "bad_signature", Unsigned(http.Request.Headers));
            if (gate.Slower(http, project) is { } slower)
                return slower;
            if (!ApprovalMessage.Read(body).Try(out var message, out var wrong))
                return wrong;
            return await DecideAsync(project, message, signed);
        }
    }

    private async Task<IResult> DecideAsync(string project, ApprovalMessage message, List<ApprovalService> signed)
    {
        var outcome = await database.WriteAsync(tx =>
            decisions.DecideAsync(
                tx,
                project,
                message.Id,
                message.Decided,
                a => signed.Exists(s => s.Name == a.Service && s.Serves(a.Agent))
            )
        );
        return Answer(outcome) ?? new Refusal(404, $"no execution found for approval request {message.Id}");
    }

    private static Refusal Unsigned(IHeaderDictionary headers) =>
        new(401, Signatures.IsSigned(headers) ? "invalid webhook signature" : "missing webhook signature")
        {
            Challenge = "Signature realm=\"postern\"",
        };

    /// <summary>
    /// Returns the services that signed a message. For a project without services it takes as long as for one with
    /// services.
    /// </summary>
    private List<ApprovalService> ServicesBehind(
        IReadOnlyList<ApprovalService> configured,
        IHeaderDictionary headers,
        RequestBody body,
        long now
    )
    {
        var forms = Signatures.FormsOf(headers);
        var signed = new List<ApprovalService>();
        foreach (var service in configured)
            if (Signatures.IsBy(service, forms, headers, body.Bytes.Span, now))
                signed.Add(service);
        if (configured.Count == 0)
            _ = Signatures.IsBy(Nobody, forms, headers, body.Bytes.Span, now);
        return signed;
    }

    /// <summary>A service whose secret nobody has.</summary>
    private static ApprovalService Nobody { get; } =
        new(
            "",
            "",
            [SigningSecret.New(), Convert.ToHexString(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32))],
            SignatureForm.All,
            false,
            null,
            0,
            0
        );

    private async Task<IResult> Decide(HttpContext http, ProjectCaller caller)
    {
        caller.DecidedByHandler();
        if (RequestPath.Segment(http, RunSegment) is not { } run)
            return ApprovalRoutes.NoSuchRun(caller, "");
        if (!caller.Authority.AllowsSome("write", "approvals", Given.ByName))
            return ApprovalFamily.Instance.Forbidden("write:approvals");
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<DecideApproval>();
        if (!Read(asked, fields, caller).Try(out var decided, out var wrong))
            return wrong;
        if (await approvals.LastOfAsync(caller.Project, run) is not { } last)
            return NoQuestion(caller, run);
        if (!caller.Allows(new RequiredScope("write", "approvals", last.Id, How: Given.ByName)))
            return ApprovalRoutes.NoSuchRun(caller, run);
        // The decision is about the question that the person has seen, not about a later one of the run.
        if (asked.ApprovalRequestId is { } id && id != last.Id)
            return new Refusal(409, $"The run's question is {last.Id} by now.", "other_approval_request")
            {
                Extra = [("approval_request_id", last.Id)],
            };
        if (await selfApproval.RefuseAsync(http, caller, last) is { } itself)
            return itself;
        return Answer(await database.WriteAsync(tx => decisions.DecideAsync(tx, caller.Project, last.Id, decided)))
            ?? ApprovalRoutes.NoSuchRun(caller, run);
    }

    private static Refusal NoQuestion(ProjectCaller caller, string run) =>
        caller.Allows("read", "runs", run) ? ApprovalRoutes.NoRequest : ApprovalRoutes.NoSuchRun(caller, run);

    private static Checked<Decided> Read(DecideApproval asked, Fields fields, ProjectCaller caller)
    {
        var isText = asked.Decision.ValueKind == JsonValueKind.String;
        var word = isText && JsonText.Of(asked.Decision) is { } text ? Decision.Of(text) : null;
        if (word is null)
            fields.Fault("decision", AllowedValues);
        if (fields.Refusal() is { } wrong)
            return wrong;
        return new Decided(
            word!,
            caller.Authority.Credential,
            caller.Authority.Actor,
            asked.Reason,
            asked.Response is { } value ? Encoding.UTF8.GetBytes(value.GetRawText()) : null,
            asked.PayloadHash
        );
    }

    /// <summary>Null: for this caller there is no such question.</summary>
    private static IResult? Answer(DecideOutcome outcome) =>
        outcome switch
        {
            DecideOutcome.Processed won => Reply.Ok(
                new DecisionProcessed("processed", won.Run.Id, won.Approval.Status, won.Run.Status)
            ),
            DecideOutcome.Already again => Reply.Ok(
                new DecisionKnown("already_processed", again.Run.Id, again.Run.Status, again.Approval.Status)
            ),
            DecideOutcome.Conflict lost => new Refusal(409, "", "decision_conflict")
            {
                Extra = [("approval_status", lost.Approval.Status), ("decided_at", Wire.Iso(lost.Approval.DecidedAt))],
            },
            DecideOutcome.OtherPayload => new Refusal(409, "", "payload_mismatch"),
            DecideOutcome.Expired => new Refusal(410, "", "approval_expired"),
            DecideOutcome.Cancelled => new Refusal(410, "", "approval_cancelled"),
            _ => null,
        };
}
