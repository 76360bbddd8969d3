using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Live;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>The routes of runs: starting, listing, reading, following, reporting, and the operator's actions.</summary>
internal sealed class RunRoutes(
    RunReader reader,
    RunEvents events,
    RunCreation creation,
    RunActions actions,
    StreamContext streams,
    LongPolls polls
)
{
    private const int MaxBody = 1024 * 1024;
    private const int MaxActionBody = 16 * 1024;
    private const int RunSegment = 3;

    public void Map(Doors doors)
    {
        const string reads = "read:runs:{run}";
        const string writes = "write:runs:{run}";
        var group = doors.Group("/api/v1/runs", ProblemFormat.Instance);
        group
            .Post("", Credentials.Key | Credentials.Token, "write:runs or trigger:tasks:{agent}", Create)
            .WithSummary("Start a run")
            .Header("Idempotency-Key", "The same key and content again is the same run")
            .Accepts<CreateRun>()
            .Produces<RunView>(202)
            .Produces(400, 401, 403, 409, 413, 422);
        group
            .Get("", Credentials.Key | Credentials.Token, Authorization.Needs("read", "runs"), List)
            .WithSummary("List the runs, newest first")
            .QueryList("status", "States: any of these.")
            .QueryList("phase", "Phases: any of these.", Phase.All)
            .QueryList("agent", "Slugs: any of these.")
            .QueryList("session", "Ids of sessions: any of these.")
            .QueryList("trigger", "Triggers: any of these.")
            .QueryList("tag", "Runs with any of these tags.")
            .Query("created", "from..to, ISO 8601, either may be left out")
            .Paged()
            .Produces<Page<RunView>>()
            .Produces(400, 401, 403);
        group
            .Get("/{run}", Credentials.Key | Credentials.Token | Credentials.RunToken, reads, Retrieve)
            .WithSummary("Read a run")
            .Query("wait", "Seconds to wait until it has ended or waits.", 1, 55)
            .Header("If-None-Match", "304 when nothing has changed")
            .Produces<RunView>()
            .Produces(304, 400, 401, 404);
        group
            .Get("/{run}/events", Credentials.Key | Credentials.Token, reads, ReadEvents)
            .WithSummary("A run's timeline, as pages or as server-sent events")
            .Paged(100, 500)
            .Header("Last-Event-ID", "Resume after this number")
            .Produces<Page<RunEventView>>()
            .Produces<string>(200, "text/event-stream")
            .Produces(400, 401, 404);
        group
            .Post("/{run}/start", Credentials.Key | Credentials.Token, writes, Start)
            .Audits("run.start")
            .WithSummary("Start a run that was made with start false")
            .Produces<RunView>()
            .Produces(401, 403, 404, 409);
        group
            .Post("/{run}/cancel", Credentials.Key | Credentials.Token, writes, Cancel)
            .Audits("run.cancel")
            .WithSummary("Cancel a run; its agent is told")
            .MayTake<CancelRun>()
            .Produces<RunView>()
            .Produces(400, 401, 403, 404, 409);
        group
            .Post("/{run}/pause", Credentials.Key | Credentials.Token, writes, Pause)
            .Audits("run.pause")
            .WithSummary("Pause a run; its agent is told")
            .Produces<RunView>()
            .Produces(401, 403, 404, 409);
        group
            .Post("/{run}/resume", Credentials.Key | Credentials.Token, writes, Resume)
            .Audits("run.resume")
            .WithSummary("Let a paused run go on; its agent is told")
            .Produces<RunView>()
            .Produces(401, 403, 404, 409);
        group
            .Post("/{run}/retry", Credentials.Key | Credentials.Token, writes, Retry)
            .Audits("run.retry")
            .WithSummary("Begin the next attempt of a failed run")
            .Accepts<RetryRun>()
            .Produces<RunView>(202)
            .Produces(400, 401, 403, 404, 409);
        group
            .Post(
                "/{run}/status",
                Credentials.Key
                    | Credentials.Token
                    | Credentials.RunToken
                    | Credentials.CallbackToken
                    | Credentials.CallbackSignature,
                writes,
                Report
            )
            .Relayed(RelayClass.Callbacks)
            .ForReports()
            .WithSummary("Report a run's status")
            .Accepts<ReportStatus>()
            .Produces<RunView>()
            .Produces(400, 401, 403, 404, 409, 413);
    }

    private async Task<IResult> Create(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<CreateRun>();
        if (!caller.Allows("write", "runs") && !(asked.Agent is { } agent && caller.Allows("trigger", "tasks", agent)))
            return ProblemFormat.Instance.Forbidden("write:runs");
        if (!(await creation.CheckAsync(asked, fields, http)).Try(out var start, out var wrong))
            return wrong;
        if (!(await creation.CreateAsync(caller, start)).Try(out var made, out var refusal))
            return refusal;
        http.Response.Headers.Location = "/api/v1/runs/" + made.Id;
        if (made.Replayed)
            http.Response.Headers["Idempotency-Replayed"] = "true";
        return Reply.Bytes(202, made.Secret is null ? made.Answer : WithSecret(made.Answer, made.Secret));
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        if (RunQuery.Read(http.Request.Query, page.After) is not { } filter)
            return Refusal.BadRequest(
                "A filter is a comma-separated list of at most 100 names; created is from..to in ISO 8601",
                "invalid_filter"
            );
        if (caller.Authority.Allows(RequiredScope.FullAdmin))
            filter = filter with { IsShown = null };
        var found = await reader.ListAsync(caller.Project, filter, page.Limit, http.RequestAborted);
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Wire.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteStartArray("data");
            foreach (var run in found.Rows)
                RunJson.Write(json, run, null, null);
            json.WriteEndArray();
            if (Cursor.Text(found.Next) is { } next)
                json.WriteString("nextCursor", next);
            json.WriteEndObject();
        }
        return Reply.Bytes(200, buffer.WrittenMemory);
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller)
    {
        var seconds = 0;
        if (
            http.Request.Query.TryGetValue("wait", out var asked)
            && (
                !int.TryParse(asked, System.Globalization.NumberStyles.None, null, out seconds)
                || seconds is < 1 or > 55
            )
        )
            return Refusal.BadRequest("wait must be a whole number from 1 to 55", "invalid_wait");
        if (!(await FindAsync(http, caller, "read")).Try(out var run, out var refusal))
            return refusal;
        if (seconds > 0)
            run = await WaitAsync(http, caller, run, TimeSpan.FromSeconds(seconds));
        var why = await reader.WhyAsync(run);
        var tag = RunJson.ETag(run, why?.Text + why?.Next?.At);
        http.Response.Headers.ETag = tag;
        if (
            http
                .Request.Headers.IfNoneMatch.ToString()
                .Split(',', StringSplitOptions.TrimEntries)
                .Any(given => given == tag || given == "W/" + tag)
        )
            return new NotModified();
        return await ShowAsync(run, 200, why);
    }

    private async Task<IResult> ReadEvents(HttpContext http, ProjectCaller caller)
    {
        if (!(await FindAsync(http, caller, "read")).Try(out var run, out var refusal))
            return refusal;
        if (EventStream.IsAskedFor(http.Request))
            return new RunTimeline(streams, events, caller, run, EventStream.LastEventId(http.Request) ?? 0);
        if (!PageQuery.Read(http, 100, 500).Try(out var page, out var wrong))
            return wrong;
        var rows = await events.AfterAsync(run.Project, run.Id, page.After?.At ?? 0, page.Limit + 1);
        return Reply.Ok(Page.Of(rows, page.Limit, RunEventView.Of, e => new Cursor(e.Seq, "-")));
    }

    private Task<IResult> Start(HttpContext http, ProjectCaller caller) =>
        ActAsync(http, caller, (tx, run, by) => actions.StartAsync(tx, run, by));

    private async Task<IResult> Cancel(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxActionBody, emptyObject: true)).Try(out var fields, out var unreadable))
            return unreadable;
        var reason = fields.Read<CancelRun>().Reason;
        return fields.Refusal()
            ?? await ActAsync(http, caller, (tx, run, by) => actions.CancelAsync(tx, run, reason, by));
    }

    private Task<IResult> Pause(HttpContext http, ProjectCaller caller) =>
        ActAsync(http, caller, (tx, run, by) => actions.PauseAsync(tx, run, by));

    private Task<IResult> Resume(HttpContext http, ProjectCaller caller) =>
        ActAsync(http, caller, (tx, run, by) => actions.ResumeAsync(tx, run, by));

    private async Task<IResult> Retry(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxActionBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var (request, profile) = fields.Read<RetryRun>();
        return fields.Refusal()
            ?? await ActAsync(http, caller, (tx, run, by) => actions.RetryAsync(tx, run, request, profile, by), 202);
    }

    private async Task<IResult> Report(HttpContext http, ProjectCaller caller)
    {
        if (RequestPath.Segment(http, RunSegment) is not { } id)
            return Unknown(caller);
        if (!caller.Allows("write", "runs", id))
            return caller.Allows("read", "runs", id)
                ? ProblemFormat.Instance.Forbidden("write:runs:" + id)
                : Unknown(caller);
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var said = fields.Read<ReportStatus>();
        // The id of a signed message is the event id when the body has none.
        var report = NativeReport.Of(
            said.EventId is null ? said with { EventId = http.Features.Get<SignedMessage>()?.Event } : said,
            fields,
            new Actor(caller.Authority.Credential, caller.Authority.LoggedActor),
            streams.Database.Now,
            AttemptOf(caller, id)
        );
        if (fields.Refusal() is { } wrong)
            return wrong;
        var outcome = await streams.Database.WriteAsync(tx => actions.ReportAsync(tx, caller.Project, id, report));
        return await AnswerAsync(http, caller, outcome);
    }

    private async Task<IResult> AnswerAsync(HttpContext http, ProjectCaller caller, ReportOutcome outcome) =>
        outcome switch
        {
            ReportOutcome.Applied applied => await ShowAsync(applied.Run, 200),
            ReportOutcome.Replayed again => await ReplayAsync(http, again.Run),
            ReportOutcome.NoSuchRun => Unknown(caller),
            ReportOutcome.Invalid invalid => Refusal.BadRequest(
                $"{NativeReport.FieldOf(invalid.Field)} {invalid.Problem}",
                "invalid_body"
            ),
            var refused => NativeReport.Refused(refused),
        };

    /// <summary>Returns the attempt of a worker's own credential; null for a key.</summary>
    public static long? AttemptOf(ProjectCaller caller, string run) =>
        caller.Authority.Worker is { } worker && worker.Run == run ? worker.Attempt : null;

    private async Task<IResult> ReplayAsync(HttpContext http, Run run)
    {
        http.Response.Headers["Idempotency-Replayed"] = "true";
        return await ShowAsync(run, 200);
    }

    /// <summary>
    /// Runs an operator's action: the row is held, the action decides, and the answer is the changed run.
    /// </summary>
    private async Task<IResult> ActAsync(
        HttpContext http,
        ProjectCaller caller,
        Func<Tx, HeldRun, Actor, ValueTask<Checked<Run>>> act,
        int status = 200
    )
    {
        if (!(await FindAsync(http, caller, "write")).Try(out var found, out var refusal))
            return refusal;
        var by = new Actor(caller.Authority.Credential, caller.Authority.LoggedActor);
        var acted = await streams.Database.WriteAsync<Checked<Run>>(async tx =>
            await HeldRun.LockAsync(tx, found.Project, found.Id) is { } locked
                ? await act(tx, locked, by)
                : Unknown(caller)
        );
        return acted.Try(out var run, out var refused) ? await ShowAsync(run, status) : refused;
    }

    private async ValueTask<Checked<Run>> FindAsync(HttpContext http, ProjectCaller caller, string action)
    {
        if (RequestPath.Segment(http, RunSegment) is not { } id)
            return Unknown(caller);
        if (!caller.Allows(action, "runs", id))
            return caller.Allows("read", "runs", id)
                ? ProblemFormat.Instance.Forbidden($"{action}:runs:{id}")
                : Unknown(caller);
        return await reader.FindAsync(caller, id) is { } run ? run : Unknown(caller);
    }

    /// <summary>Waits until the run has ended or waits, or the time is over.</summary>
    private async Task<Run> WaitAsync(HttpContext http, ProjectCaller caller, Run run, TimeSpan time)
    {
        using var poll = polls.Begin(http, caller, run.Id, time, WatchedRow.Run(run.Project, run.Id));
        while (true)
        {
            run = await reader.ReloadAsync(run);
            if (run.IsEnded || run.Phase == Phase.Waiting || poll.IsOver)
                return run;
            await poll.UntilChangedAsync();
        }
    }

    private async Task<IResult> ShowAsync(Run run, int status, Why? why = null)
    {
        var (data, attempts) = await streams.Database.ReadAsync(async tx =>
            (
                await RunData.AllAsync(tx, run.Project, run.Id),
                run.Attempt > 1 ? await RunEvents.AttemptsAsync(tx, run.Project, run.Id) : []
            )
        );
        return Reply.Bytes(status, RunDetail.Render(run, data, attempts, why));
    }

    private static byte[] WithSecret(byte[] answer, string secret)
    {
        var json = System.Text.Json.Nodes.JsonNode.Parse(answer, documentOptions: Wire.Kept)!;
        json["callback"]!["secret"] = secret;
        return JsonSerializer.SerializeToUtf8Bytes(json, Wire.Json);
    }

    private static Refusal Unknown(ProjectCaller caller)
    {
        caller.DecidedByHandler();
        return new Refusal(404, "There is no such run.", "not_found");
    }

    private sealed class NotModified : IResult
    {
        public Task ExecuteAsync(HttpContext http)
        {
            http.Response.StatusCode = 304;
            return Task.CompletedTask;
        }
    }
}
