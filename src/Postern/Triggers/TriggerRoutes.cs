using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Access;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>Making, reading, changing and removing triggers; their captured requests; starting one by hand.</summary>
internal sealed class TriggerRoutes(TriggerStore triggers, CaptureStore captures, CaptureStart start, TriggerFields reader, Projects projects, Database database, PosternOptions options)
{
    private const int OwnerSegment = 3;
    private const int IdSegment = 4;
    private const int RequestSegment = 6;

    public void Map(Doors doors)
    {
        const Opens opens = Opens.Key | Opens.InternalKey;
        doors.Group("/api/triggers", TriggerFamily.Instance).Get("", opens, Rule.Needs("read", "triggers"), List)
            .Says("List the triggers").Paged().Gives<Envelope<TriggerList>>().Gives(400, 401, 403);
        foreach (var kind in (string[])["user", "org"])
        {
            const string writes = "write:triggers:{trigger}";
            const string reads = "read:triggers:{trigger}";
            var group = doors.Group($"/api/triggers/{kind}/{{owner}}/{{trigger}}", TriggerFamily.Instance);
            group.Post("", opens, writes, (http, caller) => Put(http, caller, kind)).Audits("trigger.put").Says("Make a trigger, or replace its configuration").Takes<PutTrigger>().Gives<Envelope<CreatedTrigger>>(201).Gives(400, 401, 403);
            group.Get("", opens, reads, (http, caller) => Retrieve(http, caller, kind)).Says("Read a trigger; never its secrets").Gives<Envelope<TriggerView>>().Gives(401, 403, 404);
            group.Put("", opens, writes, (http, caller) => Update(http, caller, kind)).Audits("trigger.changed")
                .Says("Change a trigger: null clears, absent keeps").TakesPartOf<PutTrigger>()
                .Gives<Envelope<TriggerView>>().Gives(400, 401, 403, 404);
            group.Delete("", opens, writes, (http, caller) => Delete(http, caller, kind)).Audits("trigger.deleted").Says("Remove a trigger with its captures; live runs go on").Gives<Envelope<MessageView>>().Gives(401, 403, 404);
            group.Get("/requests", opens, reads, (http, caller) => ListRequests(http, caller, kind))
                .Says("List captured requests, newest first").Paged()
                .QueryWord("status", "What has become of it.", Capture.Statuses).Gives<Envelope<RequestList>>()
                .Gives(400, 401, 403, 404);
            group.Get("/requests/{request}", opens, reads, (http, caller) => RetrieveRequest(http, caller, kind)).Says("Read a captured request").Gives<Envelope<CaptureView>>().Gives(401, 403, 404);
            group.Post("/requests/{request}/replay", opens, "trigger:triggers:{trigger}", (http, caller) => Replay(http, caller, kind)).Audits("capture.replayed").Says("Start a captured request again, as a new one").Gives<Envelope<StartedView>>(202).Gives(401, 403, 404, 409, 429);
            group.Post("/invoke", opens, "trigger:triggers:{trigger}", (http, caller) => Invoke(http, caller, kind)).Audits("trigger.invoked").Says("Fire a schedule now").Gives<Envelope<StartedView>>(202).Gives(400, 401, 403, 404, 409, 429);
        }
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        var (page, wrong) = PageQuery.Read(http, 50, 200);
        if (wrong is not null) return wrong;
        var rows = await triggers.ListAsync(caller.Project, page.After?.Id ?? "", page.Limit + 1);
        var isDefault = caller.Project == await projects.DefaultAsync();
        return TriggerFamily.Ok(200, new TriggerList([.. rows.Take(page.Limit).Select(t => TriggerView.Of(t, isDefault))], rows.Count > page.Limit ? new Cursor(0, rows[page.Limit - 1].Uid).ToString() : null));
    }

    private async Task<IResult> Put(HttpContext http, ProjectCaller caller, string kind)
    {
        var (name, refusal) = Name(http, caller, kind, "write");
        if (name is null) return refusal!;
        var (fields, unreadable) = await Fields.ReadAsync(http, TriggerFields.MaxBody);
        if (fields is null) return unreadable!;
        var isDefault = caller.Project == await projects.DefaultAsync();
        return await database.WriteAsync<IResult>(async tx =>
        {
            var body = new Fields(fields.Root);
            await ProjectQuota.LockAsync(tx, caller.Project);
            var there = await TriggerStore.FindAsync(tx, caller.Project, name);
            if (there is null && await ProjectQuota.WhyNotOneMoreAsync(tx, caller.Project, "agent_trigger WHERE project = $1", "Triggers", options.Quotas.Triggers) is { } full) return full;
            var before = there ?? Empty(caller.Project, name, tx.Now);
            var trigger = await reader.ReadAsync(tx, body, before, replaces: true);
            if (body.Faults.Count > 0) return Faults(body);
            await TriggerStore.PutAsync(tx, trigger);
            return TriggerFamily.Ok(201, new CreatedTrigger(name.Id, name.Namespace, "Trigger created successfully", TriggerView.InboundOf(trigger, isDefault)));
        });
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller, string kind)
    {
        var (trigger, refusal) = await FindAsync(http, caller, kind, "read");
        return trigger is null ? refusal! : TriggerFamily.Ok(200, TriggerView.Of(trigger, caller.Project == await projects.DefaultAsync()));
    }

    private async Task<IResult> Update(HttpContext http, ProjectCaller caller, string kind)
    {
        var (found, refusal) = await FindAsync(http, caller, kind, "write");
        if (found is null) return refusal!;
        var (fields, unreadable) = await Fields.ReadAsync(http, TriggerFields.MaxBody);
        if (fields is null) return unreadable!;
        if (!fields.Root.EnumerateObject().Any()) return Refusal.BadRequest("No updates provided", "invalid_body");
        var isDefault = caller.Project == await projects.DefaultAsync();
        return await database.WriteAsync<IResult>(async tx =>
        {
            var body = new Fields(fields.Root);
            await ProjectQuota.LockAsync(tx, caller.Project);
            if (await TriggerStore.FindAsync(tx, caller.Project, found.Name) is not { } before) return TriggerFamily.NotFound;
            var trigger = await reader.ReadAsync(tx, body, before, replaces: false);
            if (body.Faults.Count > 0) return Faults(body);
            await TriggerStore.PutAsync(tx, trigger);
            return TriggerFamily.Ok(200, TriggerView.Of(trigger, isDefault));
        });
    }

    private async Task<IResult> Delete(HttpContext http, ProjectCaller caller, string kind)
    {
        var (trigger, refusal) = await FindAsync(http, caller, kind, "write");
        if (trigger is null) return refusal!;
        return await database.WriteAsync(tx => TriggerStore.DeleteAsync(tx, trigger)) ? TriggerFamily.Ok(200, new MessageView("Trigger deleted successfully")) : TriggerFamily.NotFound;
    }

    private async Task<IResult> ListRequests(HttpContext http, ProjectCaller caller, string kind)
    {
        var (trigger, refusal) = await FindAsync(http, caller, kind, "read");
        if (trigger is null) return refusal!;
        var (page, wrong) = PageQuery.Read(http, 50, 200);
        if (wrong is not null) return wrong;
        var status = http.Request.Query.TryGetValue("status", out var asked) ? asked.ToString() : null;
        if (status is not null && !Capture.Statuses.Contains(status, StringComparer.Ordinal)) return Refusal.BadRequest("status must be one of " + string.Join(", ", Capture.Statuses), "invalid_filter");
        var rows = await captures.ListAsync(trigger.Project, trigger.Uid, status, page.After?.At ?? long.MaxValue, page.After?.Id ?? "", page.Limit + 1);
        return TriggerFamily.Ok(200, new RequestList([.. rows.Take(page.Limit).Select(CaptureView.Of)], rows.Count > page.Limit ? new Cursor(rows[page.Limit - 1].At, rows[page.Limit - 1].Id).ToString() : null));
    }

    private async Task<IResult> RetrieveRequest(HttpContext http, ProjectCaller caller, string kind)
    {
        var (trigger, refusal) = await FindAsync(http, caller, kind, "read");
        if (trigger is null) return refusal!;
        return RequestPath.Segment(http, RequestSegment) is { } id && await captures.FindAsync(trigger.Project, trigger.Uid, id) is { } capture ? TriggerFamily.Ok(200, CaptureView.Of(capture)) : NoRequest;
    }

    private async Task<IResult> Replay(HttpContext http, ProjectCaller caller, string kind)
    {
        var (trigger, refusal) = await FindAsync(http, caller, kind, "trigger");
        if (trigger is null) return refusal!;
        if (RequestPath.Segment(http, RequestSegment) is not { } id || await captures.FindAsync(trigger.Project, trigger.Uid, id) is not { } capture) return NoRequest;
        if (!trigger.IsActive) return new Refusal(409, "Trigger is paused", "trigger_paused");
        var incoming = Incoming.Of(capture, Capture.Replay);
        using var body = InboundBody.OfCaptured(incoming, InboundRoutes.MaxBody);
        return await start.TakeAsync(trigger, incoming, body, null, passes: true) is CaptureOutcome.Taken taken ? TriggerFamily.Ok(202, new StartedView(taken.Id)) : InboundRoutes.Full;
    }

    private async Task<IResult> Invoke(HttpContext http, ProjectCaller caller, string kind)
    {
        var (name, refusal) = Name(http, caller, kind, "trigger");
        if (name is null) return refusal!;
        if (await triggers.FindAsync(caller.Project, name) is not { } trigger) return new Refusal(404, "NOT_FOUND", "not_found");
        if (trigger.Mode != Trigger.Scheduled) return new Refusal(400, "NOT_SCHEDULED", "not_scheduled");
        if (!trigger.IsActive) return new Refusal(409, "INACTIVE", "trigger_paused");
        return await start.TakeAsync(trigger, Incoming.Occurrence(Capture.Manual, database.Now), InboundBody.None, null, passes: true) is CaptureOutcome.Taken taken
            ? TriggerFamily.Ok(202, new StartedView(taken.Id))
            : InboundRoutes.Full with { Message = "INFLIGHT_LIMIT" };
    }

    private async ValueTask<(Trigger? Trigger, Refusal? Refusal)> FindAsync(HttpContext http, ProjectCaller caller, string kind, string action)
    {
        var (name, refusal) = Name(http, caller, kind, action);
        if (name is null) return (null, refusal);
        return await triggers.FindAsync(caller.Project, name) is { } trigger ? (trigger, null) : (null, TriggerFamily.NotFound);
    }

    private static (TriggerName? Name, Refusal? Refusal) Name(HttpContext http, ProjectCaller caller, string kind, string action)
    {
        var owner = RequestPath.Segment(http, OwnerSegment) is { Length: <= 400 } segment ? TriggerName.Decode(segment) : null;
        if (owner is not { Length: <= 200 } || RequestPath.Segment(http, IdSegment) is not { Length: <= 128 } id)
        {
            caller.DecidedByHandler();
            return (null, TriggerFamily.NotFound);
        }
        var name = new TriggerName(kind, owner, id);
        if (caller.Allows(action, "triggers", name.Scope)) return (name, null);
        return (null, caller.Allows("read", "triggers", name.Scope) ? TriggerFamily.Instance.Forbidden($"{action}:triggers:{name.Scope}") : TriggerFamily.NotFound);
    }

    private Trigger Empty(string project, TriggerName name, long now) => new(
        project, name, Id.New("trg", now), "", null, "", true, Trigger.Webhook, null, null, Trigger.PerRequest, null, null, null, null, null, [], 20, null, null, 0, 0, null, null, null, now, now);

    /// <summary>The words that callers have always parsed stand alone; everything else names its field.</summary>
    private static Refusal Faults(Fields fields) =>
        fields.Faults.FirstOrDefault(f => f.Problem == TriggerFields.BothRequired) is { Problem: { } known } && fields.Faults.Count == 1 ? Refusal.BadRequest(known, "invalid_body") : fields.Refusal()!;

    private static Refusal NoRequest => new(404, "Request not found", "not_found");
}

/// <summary>Further members are kept and given back as settings.</summary>
internal sealed record PutTrigger(
    [Text("The slug of the agent that is started; the default agent if left out. Cannot be changed.", 1, 128)]
    string? Agent,
    [Text("The message to the agent, with {{…}} for what the request holds.", 1, PromptTemplate.MaxTemplate)]
    string PromptTemplate,
    [Member("Whether requests start anything.")] bool? IsActive,
    [Word("What starts it. Cannot be changed.", Trigger.Webhook, Trigger.Scheduled)] string? ActivationMode,
    [Text("When a schedule fires: five fields.", 1, 100)] string? CronExpression,
    [Text("The schedule's IANA zone; UTC if left out.", 1, 64)] string? CronTimezone,
    [Word("Which requests share a session.", Trigger.PerRequest, Trigger.PerTrigger, Trigger.ByKey)]
    string? SessionMode,
    [Text("The template of the session's key, for byKey.", 1, 1000)] string? SessionKey,
    [Member("How a request proves who sends it; null: it does not.")] PutWebhookAuth? WebhookAuth,
    [Chosen("Which requests start anything.")] JsonElement? Filter,
    [Text("The header by which a repeat is known.", 1, 128)] string? DeliveryIdHeader,
    [Texts("Methods that are taken beside POST, PUT, PATCH and DELETE.", 7, 10)] IReadOnlyList<string>? Methods,
    [Whole("Requests under way at once.", 1, 1000)] long? MaxInFlight,
    [Whole("Seconds that a request may last.", 1, 2_592_000)] long? DeadlineSeconds,
    [Whole("Requests a minute.", 1, 1_000_000)] long? RateLimit);

[Strict]
internal sealed record PutWebhookAuth(
    [Member("The scheme by which the sender signs; a secret in a header if left out.")] string? Scheme,
    [Text("The header that holds the signature or the secret.", 1, 128)] string? Header,
    [Text("The secret.", 1, 512)] string? Secret,
    [Texts("The secrets, while one is replaced by another.", 5, 512)] IReadOnlyList<string>? Secrets,
    [Text("hmac: what stands before the signature.", 0, 64)] string? Prefix,
    [Word("hmac: the hash.", "sha256", "sha1", "sha512")] string? Algorithm,
    [Word("hmac: how the signature is written.", "hex", "base64")] string? Encoding,
    [Text("hmac: what is signed: {body} once, with {timestamp} and {id} where they are signed too.", 6, 200)]
    string? Signed,
    [Text("hmac: the header of the timestamp.", 1, 128)] string? TimestampHeader,
    [Text("hmac: the header of the id.", 1, 128)] string? IdHeader,
    [Whole("hmac: seconds that a timestamp may be off.", 1, 86_400)] long? ToleranceSeconds);

internal sealed record CreatedTrigger(
    [Member("The trigger's id.")] string TriggerId,
    [Member("Whose it is: user/{id} or org/{id}.")] string Namespace,
    [Member("What was done, for people.")] string Message,
    [Member("The path of its public URL.")] string InboundUrl);

internal sealed record MessageView(
    [Member("What was done, for people.")] string Message);

internal sealed record StartedView(
    [Member("The id of the captured request.")] string RequestId);

internal sealed record TriggerList(
    [Member("The triggers of the page.")] IReadOnlyList<TriggerView> Triggers,
    [Member("Where the next page begins, when there is more.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    string? NextCursor);

internal sealed record RequestList(
    [Member("The captured requests of the page.")] IReadOnlyList<CaptureView> Requests,
    [Member("Where the next page begins, when there is more.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    string? NextCursor);

internal sealed record TriggerView(
    [Member("The trigger's id.")] string TriggerId,
    [Member("Whose it is: user/{id} or org/{id}.")] string Namespace,
    [Member("The path of its public URL.")] string InboundUrl,
    [Member("The slug of the agent that is started.")] string Agent,
    [Member("The message to the agent.")] string PromptTemplate,
    [Member("Whether requests start anything.")] bool IsActive,
    [Word("What starts it.", Trigger.Webhook, Trigger.Scheduled)] string ActivationMode,
    [Member("When a schedule fires.")] string? CronExpression,
    [Member("The schedule's zone.")] string? CronTimezone,
    [At("When it fires next.")] string? NextRunAt,
    [Member("Why it does not fire.")] string? ScheduleProblem,
    [Word("Which requests share a session.", Trigger.PerRequest, Trigger.PerTrigger, Trigger.ByKey)]
    string SessionMode,
    [Member("The template of the session's key.")] string? SessionKey,
    [Member("Whether requests prove who sends them.")] bool WebhookAuthConfigured,
    [Member("How they prove it.")] string? WebhookAuthScheme,
    [Member("In which header.")] string? WebhookAuthHeader,
    [Chosen("Which requests start anything.")] JsonElement? Filter,
    [Member("The header by which a repeat is known.")] string? DeliveryIdHeader,
    [Member("Methods that are taken beside POST, PUT, PATCH and DELETE.")] IReadOnlyList<string> Methods,
    [Member("Requests under way at once.")] long MaxInFlight,
    [Member("Seconds that a request may last.")] long? DeadlineSeconds,
    [Member("Requests a minute.")] long? RateLimit,
    [Chosen("What else was put, kept as it came.")] JsonElement? Settings,
    [Member("Requests under way.")] long InFlight,
    [Member("Requests so far.")] long RequestCount,
    [At("When the last one came.")] string? LastRequestAt,
    [At("When it was made.")] string CreatedAt,
    [At("When it changed last.")] string UpdatedAt)
{
    public static TriggerView Of(Trigger t, bool isDefault) => new(
        t.Name.Id, t.Name.Namespace, InboundOf(t, isDefault), t.Agent, t.Template, t.IsActive, t.Mode, t.Cron, t.Zone ?? (t.Mode == Trigger.Scheduled ? "UTC" : null), Wire.Iso(t.NextAt), t.ScheduleProblem, t.SessionMode, t.SessionKey,
        t.AuthScheme is not null, t.AuthScheme, t.AuthHeader, FilterOf(t), t.DeliveryIdHeader, t.Methods, t.MaxInFlight, t.DeadlineSeconds, t.RateLimit, Json(t.Settings), t.InFlight, t.Received, Wire.Iso(t.LastAt), Wire.Iso(t.CreatedAt), Wire.Iso(t.UpdatedAt));

    public static string InboundOf(Trigger t, bool isDefault) => $"/inbound/{(isDefault ? "" : t.Project + "/")}{t.Name.Path}";

    private static JsonElement? FilterOf(Trigger t) => t.Filter is null ? null
        : JsonSerializer.Deserialize<JsonElement>(InboundFilter.Readable(t.Filter), Wire.Json);

    private static JsonElement? Json(string? text) => text is null ? null : JsonSerializer.Deserialize<JsonElement>(text, Wire.Json);
}

internal sealed record CaptureView(
    [Member("The id of the captured request.")] string RequestId,
    [At("When it came.")] string Timestamp,
    [Member("webhook, scheduled, manual or replay.")] string TriggerSource,
    [Member("Its HTTP method.")] string? Method,
    [Member("Its path.")] string? Path,
    [Member("Its query, without secrets.")] string? Query,
    [Chosen("Its headers, without secrets.")] JsonElement? Headers,
    [Member("Its body, as text.")] string? Body,
    [Member("Its content type.")] string? ContentType,
    [Member("From where it came.")] string? SourceIp,
    [At("The instant that its schedule fired for.")] string? ScheduledTime,
    [Word(
        "What has become of it.",
        Capture.Captured, Capture.InProgress, Capture.Success, Capture.Failed, Capture.Filtered)]
    string ProcessStatus,
    [Member("A stable code of why.")] string? Reason,
    [Member("What went wrong, for people.")] string? ErrorMessage,
    [Member("The session that it started.")] string? CloudAgentSessionId,
    [Member("The run that it started.")] string? RunId,
    [At("When its turn began.")] string? StartedAt,
    [At("When it was over.")] string? CompletedAt)
{
    public static CaptureView Of(Capture c) => new(
        c.Id, Wire.Iso(c.At), c.Source, c.Method, c.Path, c.Query, c.Headers is null ? null : JsonSerializer.Deserialize<JsonElement>(c.Headers, Wire.Json), BodyOf(c), c.ContentType, c.SourceIp, Wire.Iso(c.ScheduledAt),
        c.Status, c.Reason, c.Error, c.Session, c.Run, Wire.Iso(c.StartedAt), Wire.Iso(c.EndedAt));

    private static string? BodyOf(Capture c)
    {
        if (c.Body is null) return null;
        using var body = InboundBody.OfCaptured(Incoming.Of(c, c.Source), InboundRoutes.MaxBody);
        return body.Text;
    }
}
