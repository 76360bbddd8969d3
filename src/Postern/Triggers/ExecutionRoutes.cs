using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// The route of workers that got a callback with their dispatch. It closes one capture, or one run without a capture.
/// It authenticates by itself, because its token can only be verified together with the headers; a key is ignored. It
/// decides under the session's lock: of several reports at once, one applies, and the others are told that it is done.
/// </summary>
internal sealed class ExecutionRoutes(
    CallbackSecrets secrets,
    CallbackCredentials callbacks,
    SenderGate gate,
    Conversation conversation,
    RunMachine machine,
    RunReports reports,
    Database database
)
{
    public const string NamespaceHeader = "x-webhook-namespace";
    public const string TriggerHeader = "x-webhook-trigger-id";
    public const string RequestHeader = "x-webhook-request-id";
    public const string Scope = "webhook-execution-callback";
    private const int MaxBody = 1024 * 1024;

    public void Map(Doors doors) =>
        doors
            .Group("/api/callbacks", TriggerFamily.Instance)
            .Post(
                "/execution",
                Credentials.CallbackToken | Credentials.CallbackSignature,
                "the capture that the token names",
                Take
            )
            .Relayed(RelayClass.Callbacks)
            .WithSummary("Report the end of an execution")
            .Header(NamespaceHeader, "user/{id} or org/{id}")
            .Header(TriggerHeader, "The trigger")
            .Header(RequestHeader, "The captured request")
            .Header(CredentialReader.RunHeader, "Instead of those three: a run without a capture")
            .Accepts<ExecutionCallback>()
            .Produces<ExecutionDone>()
            .Produces(400, 401, 403, 404, 409, 413, 500);

    private async Task<IResult> Take(HttpContext http)
    {
        if (ExecutionName.Of(http.Request.Headers) is not { } name)
            return Refusal.BadRequest("Missing webhook identification headers", "missing_identification");
        var project = await callbacks.ProjectOfAsync(http.Request.Headers);
        var proven = await callbacks.HasOneAsync(http, name.Subject, await TokensOfAsync(project, name));
        if (!proven.Try(out var valid, out var unread))
            return unread;
        if (!valid)
            return gate.Refuse(
                http,
                "wrong_callback_token",
                new Refusal(401, "Unauthorized", "unauthorized") { Challenge = "CallbackToken realm=\"postern\"" }
            );
        if (gate.Slower(http, project!) is { } slower)
            return slower;
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable.Status == 413 ? unreadable : Invalid;
        if (ExecutionReport.Read(fields) is not { } report)
            return Invalid;
        return await CloseAsync(project!, name, report);
    }

    private Task<IResult> CloseAsync(string project, ExecutionName name, ExecutionReport report) =>
        name switch
        {
            ExecutionName.OfCapture capture => CloseCaptureAsync(project, capture, report),
            ExecutionName.OfRun run => CloseRunAsync(project, run.Run, run.Attempt, report),
            var other => throw new InvalidOperationException($"Not the name of an execution: {other}"),
        };

    /// <summary>The tokens that prove it; none for a project that cannot exist.</summary>
    private async ValueTask<IReadOnlyList<string>> TokensOfAsync(string? project, ExecutionName name)
    {
        if (project is not { Length: <= 128 })
            return [];
        return name switch
        {
            ExecutionName.OfCapture c => await secrets.TokensAsync(project, Scope, c.Space, c.Trigger, c.Request),
            ExecutionName.OfRun r => await secrets.RunTokensAsync(project, r.Run, r.Attempt),
            var other => throw new InvalidOperationException($"Not the name of an execution: {other}"),
        };
    }

    private Task<IResult> CloseCaptureAsync(string project, ExecutionName.OfCapture name, ExecutionReport report) =>
        database.WriteAsync<IResult>(async tx =>
        {
            if (
                TriggerName.In(name.Space, name.Trigger) is not { } triggerName
                || await TriggerStore.FindAsync(tx, project, triggerName) is not { } trigger
                || await CaptureStore.FindAsync(tx, project, trigger.Uid, name.Request) is not { } seen
            )
                return NoRequest;
            // The lock of the session's row puts callbacks, turns and deadlines in one order. The capture is read again
            // after it.
            var session = seen.Session is null ? null : await SessionStore.LockAsync(tx, project, seen.Session);
            if (await CaptureStore.FindAsync(tx, project, trigger.Uid, name.Request) is not { } capture)
                return NoRequest;
            if (capture.IsOver)
                return Done("Request already completed");
            if (report.CloudAgentSessionId != capture.Session)
                return new Refusal(403, "Session ID mismatch", "session_mismatch");
            if (session is null)
                return NoRequest;
            if (report.FailureDropped && capture.Run is not null)
                await RecordExecutionAsync(tx, project, capture.Run);
            return await EndAsync(tx, session, capture, report, new Actor("callback_token", name.Request));
        });

    private async ValueTask<IResult> EndAsync(Tx tx, Session session, Capture capture, ExecutionReport report, Actor by)
    {
        if (!report.Succeeded)
        {
            await FailAsync(tx, session, capture, report, by);
            return Done(null);
        }
        if (
            session.CurrentRun is { } current
            && await HeldRun.LockAsync(tx, session.Project, current) is { IsEnded: false, Approval: not null } waiting
        )
        {
            await RunReports.KeepRefusalAsync(
                tx,
                waiting,
                new Report(Phase.Succeeded, by, null),
                new ReportOutcome.Illegal(waiting.Status, Phase.Succeeded, [], Terminal: false, Asked: true)
            );
            return AwaitsApproval;
        }
        await SucceedAsync(tx, session, capture, report, by);
        return Done(null);
    }

    /// <summary>
    /// The turn ends with the text that the agent has written, or with the text of the report. Its run has succeeded.
    /// </summary>
    private async ValueTask SucceedAsync(Tx tx, Session session, Capture capture, ExecutionReport report, Actor by)
    {
        if (report.LastAssistantMessageText is { } text && session.OutNext <= session.TurnOutSeq)
            await conversation.SpeakAsync(tx, session, $"{capture.Id}:callback", text);
        if (
            session.CurrentRun is not null
            && await HeldRun.LockAsync(tx, session.Project, session.CurrentRun) is { IsEnded: false } run
            && await machine.EndAsync(tx, run.Project, run.Id, Phase.Succeeded, null, by) is not null
        )
            return;
        await CaptureStore.SettleAsync(
            tx,
            session.Project,
            session.Id,
            capture.InSeq ?? long.MaxValue,
            Capture.Success,
            null,
            null
        );
    }

    private async ValueTask FailAsync(Tx tx, Session session, Capture capture, ExecutionReport report, Actor by)
    {
        var failure = (
            report.Failure ?? new Failure(report.IsInterrupted ? ExecutionCallback.Interrupted : "execution_failed")
        ) with
        {
            Message = report.FailureMessage,
        };
        if (
            session.CurrentRun is not null
            && await HeldRun.LockAsync(tx, session.Project, session.CurrentRun) is { IsEnded: false } run
            && await machine.EndAsync(tx, run.Project, run.Id, Phase.Failed, report.FailureMessage, by, failure)
                is not null
        )
            return;
        await CaptureStore.SettleAsync(
            tx,
            session.Project,
            session.Id,
            capture.InSeq ?? long.MaxValue,
            Capture.Failed,
            failure.Code,
            report.FailureMessage
        );
    }

    private async Task<IResult> CloseRunAsync(string project, string id, long attempt, ExecutionReport report)
    {
        var by = new Actor("callback_token", id);
        var taken = new Report(report.Succeeded ? Phase.Succeeded : Phase.Failed, by, attempt)
        {
            Failure = report.Succeeded
                ? null
                : (report.Failure ?? new Failure("execution_failed")) with
                {
                    Message = report.FailureMessage,
                },
            Output = OutputOf(report),
            OfItsWorker = true,
        };
        return await database.WriteAsync(async tx =>
        {
            return await reports.TakeAsync(tx, project, id, taken);
        }) switch
        {
            ReportOutcome.Applied or ReportOutcome.Replayed => Done(null),
            ReportOutcome.NoSuchRun => NoRequest,
            ReportOutcome.Illegal { Terminal: true } => Done("Request already completed"),
            ReportOutcome.Illegal { Asked: true } => AwaitsApproval,
            var refused => new Refusal(409, RunReports.Explain(refused).Message, RunReports.Explain(refused).Code),
        };
    }

    /// <summary>
    /// The text becomes the run's output. A text that is too large is left out, and the end still counts.
    /// </summary>
    private static byte[]? OutputOf(ExecutionReport report) =>
        report.Succeeded
        && report.LastAssistantMessageText is { } text
        && JsonSerializer.SerializeToUtf8Bytes(text, Wire.Json) is { Length: <= RunReports.MaxOutput } output
            ? output
            : null;

    private static ValueTask RecordExecutionAsync(Tx tx, string project, string run) =>
        RunEvents.AddAsync(
            tx,
            project,
            run,
            seq => new RunEvent
            {
                Seq = seq,
                Type = "note",
                At = tx.Now,
                Attempt = 1,
                By = new Actor("callback_token", run),
                Detail = "{\"dropped\":\"failure\"}",
            }
        );

    private static Refusal AwaitsApproval => new(409, "Run is waiting for an approval", "awaiting_approval");

    private static Refusal Invalid => Refusal.BadRequest("Invalid callback payload", "invalid_body");

    private static Refusal NoRequest => new(404, "Request not found", "not_found");

    private static IResult Done(string? message) =>
        Reply.Ok(new ExecutionDone(true, message is null ? null : new MessageView(message)));
}
