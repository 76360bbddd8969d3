using System.Text.Json;
using Postern.Access;
using Postern.Agents;
using Postern.Dispatch;
using Postern.Http;
using Postern.Live;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// The routes for asking, for waiting, and for managing questions. In these paths a run is called an execution.
/// </summary>
internal sealed class ApprovalRoutes(
    ApprovalRequests requests,
    ApprovalStore approvals,
    ApprovalWaiters waiters,
    AgentStore agents,
    RunStore runs,
    SessionDoor door,
    StreamRegistry registry
)
{
    private const int MaxBody = 1024 * 1024;
    private const int RunSegment = 3;
    private const int AgentSegment = 3;
    private const int RunOfAgentSegment = 5;

    public void Map(Doors doors)
    {
        const string asks = "write:runs:{run} by a key, or the run's own token";
        const string reads = "read:runs:{run}";
        foreach (var prefix in (string[])["/api/v1/executions", "/api/v1/agents/{slug}/executions"])
        {
            var group = doors.Group(prefix, ApprovalFamily.Instance);
            group
                .Post("/{run}/request-approval", Credentials.Key | Credentials.RunToken, asks, Ask)
                .ForReports()
                .WithSummary("Ask a person, and wait")
                .MayTake<AskApproval>()
                .Produces<AskedView>()
                .Produces(400, 401, 403, 404, 409, 413);
            group
                .Get(
                    "/{run}/approval-status",
                    Credentials.Key | Credentials.Token | Credentials.RunToken,
                    reads,
                    ReadStatus
                )
                .TellsTheEnd()
                .WithSummary("A run's newest question, and its answer")
                .Query("wait", "Seconds to wait until it is decided.", 1, 55)
                .Produces<ApprovalStatusView>()
                .Produces(400, 401, 403, 404);
        }
        var all = doors.Group("/api/v1/approvals", ApprovalFamily.Instance);
        all.Get("", Credentials.Key | Credentials.Token, Authorization.Needs("read", "approvals"), List)
            .WithSummary("What waits for a person, the longest first; with other filters what was asked, newest first")
            .QueryList(
                "status",
                "Any of these.",
                "pending",
                "approved",
                "rejected",
                "request_changes",
                "expired",
                "cancelled"
            )
            .QueryList("agent", "Slugs: any of these.")
            .QueryList("run", "Runs: any of these.")
            .QueryList("session", "Ids of sessions: any of these.")
            .QueryList("service", "Approval services: any of these.")
            .Query("requested", "from..to, ISO 8601, either may be left out")
            .Paged()
            .Produces<Page<ApprovalView>>()
            .Produces(400, 401, 403);
        all.Get("/{approval}", Credentials.Key | Credentials.Token, "read:approvals:{approval}", Retrieve)
            .WithSummary("Read a question with its payload, and its answer")
            .Produces<ApprovalView>()
            .Produces(401, 404);
    }

    private async Task<IResult> Ask(HttpContext http, ProjectCaller caller)
    {
        var (id, agent) = Named(http);
        if (id is null)
            return NoSuchRun(caller, "");
        if (!caller.Allows("write", "runs", id))
            return caller.Allows("read", "runs", id)
                ? ApprovalFamily.Instance.Forbidden("write:runs:" + id)
                : NoSuchRun(caller, id);
        if (!(await Fields.ReadAsync(http, MaxBody, emptyObject: true)).Try(out var fields, out var unreadable))
            return unreadable;
        if (!(await requests.ReadAsync(fields, http)).Try(out var question, out var wrong))
            return wrong;
        return await requests.AskAsync(caller.Project, id, agent, question, Asker.Of(caller, id)) switch
        {
            AskOutcome.Asked asked => Reply.Bytes(
                200,
                ApprovalJson.Asked(asked.Approval, await UrlForAsync(asked.Approval, caller))
            ),
            AskOutcome.NoSuchRun => NoSuchRun(caller, id),
            var refused => Refused(refused),
        };
    }

    private static Refusal Refused(AskOutcome outcome) =>
        outcome switch
        {
            AskOutcome.OtherAgent => OtherAgent,
            AskOutcome.Stale stale => new Refusal(
                409,
                $"The run is at attempt {stale.CurrentAttempt}; this token is of attempt {stale.OwnAttempt}.",
                "stale_attempt"
            ),
            AskOutcome.NotRunning state => new Refusal(
                409,
                $"execution is in '{state.Status}' state; must be 'running' to request approval",
                "invalid_state"
            ),
            AskOutcome.AnotherIsOpen open => new Refusal(
                409,
                "execution already has an open approval request",
                "approval_already_requested"
            )
            {
                Extra = [("approval_request_id", open.Id)],
            },
            AskOutcome.IdIsUsed => new Refusal(
                409,
                "The approval_request_id was used before: each question needs one of its own.",
                "approval_request_id_used"
            ),
            AskOutcome.Unfit { Field: "callback_url" } unfit => Refusal.BadRequest(
                $"{unfit.Field} {unfit.Problem}",
                "invalid_callback_url"
            ),
            AskOutcome.Unfit unfit => Refusal.BadRequest($"{unfit.Field} {unfit.Problem}", "invalid_body"),
            var other => throw new InvalidOperationException($"Not an outcome of asking: {other}"),
        };

    /// <summary>0: it does not wait; null: the value is invalid.</summary>
    private static int? SecondsToWait(HttpRequest request)
    {
        if (!request.Query.TryGetValue("wait", out var asked))
            return 0;
        return
            int.TryParse(asked, System.Globalization.NumberStyles.None, null, out var seconds)
            && seconds is >= 1 and <= 55
            ? seconds
            : null;
    }

    /// <summary>Returns the run when the caller may read it, else null.</summary>
    private async ValueTask<Run?> ShownAsync(ProjectCaller caller, string id) =>
        caller.Allows("read", "runs", id)
        && await runs.FindAsync(caller.Project, id) is { } run
        && !await door.HidesAsync(caller, run.Session)
            ? run
            : null;

    private async Task<IResult> ReadStatus(HttpContext http, ProjectCaller caller)
    {
        var (id, agent) = Named(http);
        if (id is null || await ShownAsync(caller, id) is not { } run)
            return NoSuchRun(caller, id ?? "");
        if (agent is not null && run.Agent != agent)
            return OtherAgent;
        if (SecondsToWait(http.Request) is not { } seconds)
            return Refusal.BadRequest("wait must be a whole number from 1 to 55", "invalid_wait");
        if (await approvals.LastOfAsync(caller.Project, id) is not { } approval)
            return NoRequest;
        var waits = approval.IsPending && seconds > 0;
        if (waits && await WaitAsync(http, caller, approval, TimeSpan.FromSeconds(seconds)) is { } answer)
            return Reply.Bytes(200, answer);
        return Reply.Bytes(200, ApprovalJson.Status(approval, await UrlForAsync(approval, caller)));
    }

    /// <summary>Returns the rendered answer, or null when the time is over without one.</summary>
    private async Task<byte[]?> WaitAsync(HttpContext http, ProjectCaller caller, Approval open, TimeSpan time)
    {
        using var wait = registry.Wait(http, caller);
        return await wait.ForAsync(gone => waiters.WaitAsync(open, time, gone));
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        if (
            RunQuery.ReadLists(http.Request.Query, "status", "agent", "run", "session", "service") is not { } lists
            || !RunQuery.TryReadSpan(http.Request.Query, "requested", out var from, out var to)
            || !lists[0].All(s => Decision.Statuses.Contains(s, StringComparer.Ordinal))
        )
            return Refusal.BadRequest(
                "A filter is a comma-separated list of at most 100 names; status is one of "
                    + string.Join(", ", Decision.Statuses)
                    + "; requested is from..to in ISO 8601",
                "invalid_filter"
            );
        var filter = new ApprovalFilter(lists[0], lists[1], lists[2], lists[3], lists[4], from, to, page.After)
        {
            WithInternal = caller.Authority.Allows(RequiredScope.FullAdmin) || MayDecide(caller, null),
        };
        var found = await approvals.ListAsync(caller.Project, filter, page.Limit, http.RequestAborted);
        return Reply.Bytes(
            200,
            ApprovalJson.Render(json =>
            {
                json.WriteStartArray("data");
                foreach (var approval in found.Rows)
                    ApprovalJson.Write(json, approval, registry.Now, approval.RequestUrl);
                json.WriteEndArray();
                if (Cursor.Text(found.Next) is { } next)
                    json.WriteString("nextCursor", next);
            })
        );
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller)
    {
        var id = RequestPath.Segment(http, RunSegment);
        var mayRead = id is not null && caller.Allows("read", "approvals", id);
        var approval = mayRead ? await approvals.FindWholeAsync(caller.Project, id!) : null;
        if (approval is null || await IsHiddenAsync(approval, caller))
        {
            caller.DecidedByHandler();
            return new Refusal(404, "There is no such approval.", "not_found");
        }
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, Wire.WriterOptions))
            ApprovalJson.Write(json, approval, registry.Now, await UrlForAsync(approval, caller));
        return Reply.Bytes(200, buffer.WrittenMemory);
    }

    /// <summary>
    /// Returns where the person is asked. The link to this server's own page decides, so it is shown only to callers
    /// that may decide by name, and not to the asker; except to the asking attempt when its agent is trusted with
    /// links.
    /// </summary>
    private async ValueTask<string?> UrlForAsync(Approval approval, ProjectCaller caller)
    {
        if (approval.LinkDigest is null)
            return approval.RequestUrl;
        if (!approval.IsPending)
            return null;
        var given = caller.Authority.Worker is { } worker
            ? worker.Run == approval.Run
                && worker.Attempt == approval.Attempt
                && await agents.FindAsync(caller.Project, approval.Agent) is { Settings.Links: true }
            : MayDecide(caller, approval.Id);
        return given ? requests.LinkOf(approval) : null;
    }

    /// <summary>
    /// A question of an internal session is for administrators and for callers that may decide it: nobody decides what
    /// he cannot see.
    /// </summary>
    private async ValueTask<bool> IsHiddenAsync(Approval approval, ProjectCaller caller) =>
        !MayDecide(caller, approval.Id) && await door.HidesAsync(caller, approval.Session);

    private static bool MayDecide(ProjectCaller caller, string? id) =>
        caller.Authority.Allows(new RequiredScope("write", "approvals", id, How: Given.ByName));

    /// <summary>Returns the run of the path, and the agent when the path names one.</summary>
    private static (string? Run, string? Agent) Named(HttpContext http) =>
        RequestPath.Segment(http, 2) == "agents"
            ? (RequestPath.Segment(http, RunOfAgentSegment), RequestPath.Segment(http, AgentSegment) ?? "")
            : (RequestPath.Segment(http, RunSegment), null);

    private static Refusal OtherAgent =>
        new(403, "execution does not belong to this agent", "execution_ownership_mismatch");

    public static Refusal NoRequest => new(404, "No approval request exists for this execution", "no_approval_request");

    public static Refusal NoSuchRun(ProjectCaller caller, string id)
    {
        caller.DecidedByHandler();
        return new Refusal(404, $"execution {id} not found");
    }
}
