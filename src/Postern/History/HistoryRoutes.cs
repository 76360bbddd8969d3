using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Net.Http.Headers;
using Postern.Access;
using Postern.Http;
using Postern.Live;
using Postern.Runs;
using Postern.Sessions;
using Postern.Settings;
using Postern.Storage;

namespace Postern.History;

/// <summary>
/// The routes of history: reading a transcript, following it live, adding a message without a run, ending the live run.
/// </summary>
internal sealed class HistoryRoutes(
    SessionStore sessions,
    Transcript transcript,
    HistoryReader reader,
    RunMachine machine,
    Reactions<SessionCreated> created,
    StreamContext streams,
    PosternOptions options
)
{
    private const int MaxBody = 1024 * 1024;

    private readonly string _vary = AnswerHeaders.VaryOf(options.Operators.IdentityHeader);

    /// <summary>The prefix of the names of keys that belong to one credential.</summary>
    private const string OwnKeys = "own:";

    public void Map(Doors doors)
    {
        var group = doors.Group("/sessions/{key}", HistoryFamily.Instance);
        foreach (var map in (Func<string, Credentials, Authorization, ProjectHandler, Door>[])[group.Get, group.Head])
        {
            map("/history", Credentials.Operator | Credentials.Token, "read:sessions:{key}", Read)
                .WithSummary("Read a transcript, or follow it as server-sent events")
                .Query("limit", "How many at most; more than 1000 are 1000.", 1, long.MaxValue, 100)
                .Query("cursor", "Messages before this number: nextCursor, as it is or behind seq:.")
                .Query("after", "Messages after this number, the oldest first.", 0, long.MaxValue)
                .Query("fields", "items: without the copy under messages.")
                .Query("full", "1: texts are not cut.")
                .Query("deltas", "1: text still being made, on a stream.")
                .Header("Last-Event-ID", "Resume a stream after this number.")
                .Header("If-None-Match", "304 when nothing is new.")
                .Produces<HistoryView>()
                .Produces<string>(200, "text/event-stream")
                .Produces(304, 400, 401, 403, 404, 503);
        }
        group
            .Post("/messages", Credentials.Operator | Credentials.Token, "write:sessions:{key}", Write)
            .Audits("message.written")
            .WithSummary("Commit a message without a run")
            .Accepts<WriteMessage>()
            .Produces<WrittenMessage>(201)
            .Produces<WrittenMessage>(200)
            .Produces(400, 401, 403, 404, 409, 413);
        group
            .Post("/kill", Credentials.Operator | Credentials.Token, "admin, granted explicitly", Kill)
            .WithSummary("Cancel the live run")
            .Produces<KilledView>()
            .Produces(400, 401, 403, 404);
    }

    private async Task<IResult> Read(HttpContext http, ProjectCaller caller)
    {
        if (!(await FindAsync(http, caller, "read", "operator.read")).Try(out var name, out var refusal))
            return refusal;
        if (!HistoryQuery.Read(http.Request.Query).Try(out var query, out var wrong))
            return wrong;
        if (EventStream.IsAskedFor(http.Request))
            return new HistoryStream(
                streams,
                transcript,
                reader,
                caller,
                name,
                query,
                EventStream.LastEventId(http.Request)
            );
        if (await reader.ReadAsync(name, query) is not { } page)
        {
            sessions.Forget(name);
            return HistoryFamily.NotFound(RequestPath.Segment(http, 1)!);
        }
        return new HistoryReply(reader, page, _vary);
    }

    private async Task<IResult> Write(HttpContext http, ProjectCaller caller)
    {
        if (!(await FindTargetAsync(http, caller, "write", "operator.write")).Try(out var target, out var refusal))
            return refusal;
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<WriteMessage>();
        var content = ContentOf(asked, fields);
        if (fields.Refusal() is { } wrong)
            return wrong;
        var message = new ChatMessage(caller.Authority.SpeaksAsUser ? "user" : asked.Role, content);
        return await streams.Database.WriteAsync(tx => CommitAsync(tx, caller, target, message, asked.IdempotencyKey));
    }

    /// <summary>Returns the blocks of a message, mended; empty when they have faults.</summary>
    private static byte[] ContentOf(WriteMessage asked, Fields fields)
    {
        switch (asked.Content.ValueKind)
        {
            case JsonValueKind.String:
                return ChatMessage.Write(json => ChatMessage.WriteText(json, MendedJson.TextOf(asked.Content)));
            case JsonValueKind.Array:
                // The mended text is checked and stored: a type may be another one when its escapes are mended.
                var blocks = MendedJson.Of(JsonMarshal.GetRawUtf8Value(asked.Content).ToArray());
                if (Validate(blocks) is { } problem)
                    fields.Fault("content", problem);
                return blocks.ToArray();
            default:
                fields.Fault("content", "must be a text or a list of blocks");
                return [];
        }
    }

    /// <summary>Returns why a list of blocks cannot be stored, or null.</summary>
    private static string? Validate(ReadOnlyMemory<byte> blocks)
    {
        using var list = JsonDocument.Parse(blocks);
        foreach (var block in list.RootElement.EnumerateArray())
        {
            if (
                block.ValueKind != JsonValueKind.Object
                || !block.TryGetProperty("type", out var type)
                || type.ValueKind != JsonValueKind.String
            )
                return "must be a list of objects with a type";
            if (ChatMessage.IsOfServer(block))
                return $"must not hold a block of the type {type.GetString()}: only the server writes those";
            if (
                type.ValueEquals("text")
                && (!block.TryGetProperty("text", out var text) || text.ValueKind != JsonValueKind.String)
            )
                return "holds a block of the type text without a text";
        }
        return null;
    }

    /// <summary>Returns the id of the session to write to; a missing session is created.</summary>
    private async ValueTask<Checked<string>> SessionOfAsync(Tx tx, ProjectCaller caller, HistoryTarget target)
    {
        var (key, name) = target;
        if (name is not null)
            return name.Id;
        var agent = key.Agent ?? options.DefaultAgent;
        // The same checks as POST /api/v1/sessions: the right to a name is not the right to create its session.
        var mayMake = caller.Allows("write", "tasks", agent) || caller.Allows("write", "sessions");
        if (
            Session.Validate(key.Rest) is not null
            || !mayMake
            || !await SessionStart.HasAgentAsync(tx, caller.Project, agent)
        )
            return HistoryFamily.NotFound(key.Text);
        var id = Id.New(Session.Prefix, streams.Database.Now);
        var made = SessionStart.New(tx, caller.Project, id, key.Rest, agent, "history");
        if (await SessionStore.InsertAsync(tx, made))
        {
            await created.RaiseAsync(tx, new SessionCreated(made));
            return id;
        }
        // Another request has just created it, or the external id belongs to another agent's session.
        var there = await SessionStore.FindAsync(tx, caller.Project, key.Rest);
        return there?.Key == made.Key ? there.Id : new Refusal(409, "A session of another agent has this name");
    }

    private async ValueTask<IResult> CommitAsync(
        Tx tx,
        ProjectCaller caller,
        HistoryTarget target,
        ChatMessage message,
        string? idempotencyKey
    )
    {
        var key = target.Key;
        if (!(await SessionOfAsync(tx, caller, target)).Try(out var id, out var refused))
            return refused;
        if (await SessionStore.LockAsync(tx, caller.Project, id) is not { } session)
            return HistoryFamily.NotFound(key.Text);
        var own = idempotencyKey is null ? null : OwnKeys + caller.Authority.Own(idempotencyKey);
        if (own is not null && await FindRepeatAsync(tx, caller.Project, id, own, idempotencyKey!) is { } first)
        {
            return first.Role == message.Role && first.Content.AsSpan().SequenceEqual(message.Content)
                ? Reply.Json(200, new WrittenMessage(first.Id, first.Seq))
                : new Refusal(409, "idempotencyKey was used for another message");
        }
        if (!(await transcript.AddAsync(tx, session, message, own)).Try(out var added, out var full))
            return full;
        return Reply.Created(new WrittenMessage(added.Id, added.Seq));
    }

    /// <summary>
    /// Returns the message that was committed under this key by this credential, or by version 0.3.0, which stored only
    /// the key.
    /// </summary>
    private static async ValueTask<Message?> FindRepeatAsync(
        Tx tx,
        string project,
        string session,
        string own,
        string key
    )
    {
        if (await Transcript.FindRepeatAsync(tx, project, session, own) is { } mine)
            return mine;
        if (key.StartsWith(OwnKeys, StringComparison.Ordinal))
            return null;
        return await Transcript.FindRepeatAsync(tx, project, session, key);
    }

    private async Task<IResult> Kill(HttpContext http, ProjectCaller caller)
    {
        // An explicit right, never an implied one: agents often have the root key, whose rights are implied.
        if (!caller.Allows(RequiredScope.GrantedAdmin))
            return HistoryFamily.Missing("operator.admin");
        if (!(await FindAsync(http, caller, "admin", "operator.admin")).Try(out var name, out var refusal))
            return refusal;
        var killed = await streams.Database.WriteAsync(async tx =>
        {
            if (
                await SessionStore.LockAsync(tx, name.Project, name.Id) is not { CurrentRun: not null } session
                || await HeldRun.LockAsync(tx, session.Project, session.CurrentRun) is not { } run
            )
                return false;
            var by = new Actor(caller.Authority.Credential, caller.Authority.LoggedActor);
            if (
                await machine.EndAsync(
                    tx,
                    run.Project,
                    run.Id,
                    Phase.Cancelled,
                    "The run was cancelled by an operator.",
                    by,
                    tellAgent: true
                )
                is null
            )
                return false;
            Audit.Write(
                tx,
                new AuditRow(
                    session.Project,
                    "run.killed",
                    caller.Authority.Credential,
                    caller.Authority.LoggedActor,
                    Reason: session.CurrentRun
                )
            );
            return true;
        });
        return Reply.Ok(new KilledView(true, killed));
    }

    /// <summary>
    /// Returns the session of the path's key, or why not: 400 for an invalid key, 403 without any such scope, else the
    /// uniform 404.
    /// </summary>
    private async ValueTask<Checked<SessionRef>> FindAsync(
        HttpContext http,
        ProjectCaller caller,
        string action,
        string scope
    )
    {
        if (!(await FindTargetAsync(http, caller, action, scope)).Try(out var target, out var refusal))
            return refusal;
        return target.Name is { } name ? name : HistoryFamily.NotFound(target.Key.Text);
    }

    /// <summary>The same, but a key without a session is accepted.</summary>
    private async ValueTask<Checked<HistoryTarget>> FindTargetAsync(
        HttpContext http,
        ProjectCaller caller,
        string action,
        string scope
    )
    {
        var anything = caller.Authority.AllowsSome(action, "sessions");
        caller.DecidedByHandler();
        if (HistoryKey.TryParse(RequestPath.Segment(http, 1)) is not { } key)
            return Refusal.BadRequest("invalid session key");
        if (!anything)
            return HistoryFamily.Missing(scope);
        var name = await key.NameAsync(sessions, caller.Project);
        if (SessionDoor.Hides(caller, key.Rest, name?.Id) || SessionDoor.Hides(caller, name?.Name ?? "", name?.Id))
            return HistoryFamily.NotFound(key.Text);
        var allowed = name is null
            ? caller.Allows(action, "sessions", key.Rest)
            : caller.Allows(action, "sessions", name.Id, name.ExternalId);
        return allowed ? new HistoryTarget(key, name) : HistoryFamily.NotFound(key.Text);
    }

    /// <summary>Returns a page, unless the client has it.</summary>
    private sealed class HistoryReply(HistoryReader reader, HistoryPage page, string vary) : IResult
    {
        public Task ExecuteAsync(HttpContext http)
        {
            var request = http.Request;
            if (
                request.Headers.IfNoneMatch.Count > 0
                && request
                    .Headers.IfNoneMatch.ToString()
                    .Split(',', StringSplitOptions.TrimEntries)
                    .Any(tag => tag == "*" || tag == page.ETag || tag == "W/" + page.ETag)
            )
            {
                Say(http.Response);
                http.Response.StatusCode = 304;
                return Task.CompletedTask;
            }
            var isGzip = AcceptsGzip(request);
            return AnswerBody.SendAsync(
                http,
                isGzip ? reader.GzippedOf(page) : page.Json,
                response =>
                {
                    Say(response);
                    response.ContentType = "application/json; charset=utf-8";
                    if (isGzip)
                        response.Headers.ContentEncoding = "gzip";
                }
            );
        }

        private void Say(HttpResponse response)
        {
            response.Headers.ETag = page.ETag;
            response.Headers.CacheControl = AnswerHeaders.KeptByTheCaller;
            response.Headers.Vary = vary;
        }

        private static bool AcceptsGzip(HttpRequest request) =>
            request.Headers.AcceptEncoding.Count > 0
            && StringWithQualityHeaderValue.TryParseList(request.Headers.AcceptEncoding, out var list)
            && list.Any(e => e.Value.Equals("gzip", StringComparison.OrdinalIgnoreCase) && (e.Quality ?? 1) > 0);
    }
}
