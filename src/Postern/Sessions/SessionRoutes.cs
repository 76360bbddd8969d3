using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// Creating, reading, listing, changing and closing sessions, in the wire form of the client libraries that exist.
/// </summary>
internal sealed class SessionRoutes(
    SessionStore sessions,
    SessionDoor door,
    Conversation conversation,
    RunMachine machine,
    SessionStart start,
    SessionTokens tokens,
    Database database
)
{
    private const int MaxBody = 32 * 1024;

    public void Map(Doors doors)
    {
        var group = doors.Group("/api/v1/sessions", SessionFamily.Instance);
        group
            .Post("", Credentials.Key | Credentials.Token, "write:tasks:{taskIdentifier} or write:sessions", Start)
            .WithSummary("Start a session, or get the one of that external id")
            .Accepts<StartSession>()
            .Produces<StartedSession>(201)
            .Produces<StartedSession>(200)
            .Produces(400, 401, 403, 404, 409, 413, 422);
        group
            .Get("", Credentials.Key | Credentials.Token, "read:sessions or read:tasks", List)
            .WithSummary("List sessions, newest first")
            .Query("page[size]", "How many at most.", 1, 100, 20)
            .Query("page[after]", "From pagination.next")
            .Query("page[before]", "From pagination.previous")
            .QueryList("filter[type]", "Any of these.")
            .QueryList("filter[tags]", "Any of these.")
            .QueryList("filter[taskIdentifier]", "Any of these.")
            .QueryList("filter[externalId]", "Any of these.")
            .QueryList("filter[status]", "Any of these.", Session.Statuses)
            .Query("filter[createdAt][period]", "A span such as 7d")
            .Query("filter[createdAt][from]", "Epoch ms or ISO")
            .Query("filter[createdAt][to]", "Epoch ms or ISO")
            .Produces<SessionPage>()
            .Produces(400, 401, 403);
        group
            .Get("/{session}", Credentials.Key | Credentials.Token, "read:sessions:{session}", Retrieve)
            .WithSummary("Read a session")
            .Produces<SessionItem>()
            .Produces(401, 404);
        group
            .Patch("/{session}", Credentials.Key | Credentials.Token, "admin:sessions:{session}", Update)
            .WithSummary("Change tags and metadata")
            .MayTake<UpdateSession>()
            .Produces<SessionItem>()
            .Produces(400, 401, 403, 404, 422);
        group
            .Post("/{session}/close", Credentials.Key | Credentials.Token, "admin:sessions:{session}", Close)
            .Audits("session.closed")
            .WithSummary("Close a session for good")
            .MayTake<CloseSession>()
            .Produces<SessionItem>()
            .Produces(400, 401, 403, 404);
        group
            .Post(
                "/{session}/end-and-continue",
                Credentials.Key | Credentials.Token,
                "write:sessions:{session}",
                EndAndContinue
            )
            .Audits("session.run_swapped")
            .WithSummary("Swap the live run for a fresh one")
            .Accepts<EndAndContinue>()
            .Produces<SwappedRun>()
            .Produces(400, 401, 403, 404, 409);
        group
            .Get("/{session}/transcript", Credentials.Key, "read:sessions:{session}", ReadTranscript)
            .WithSummary("Read the transcript")
            .Query("limit", "How many at most.", 1, 1000, 100)
            .Query("before", "Messages before this number: nextCursor of the page before.", 1, long.MaxValue)
            .Produces<TranscriptPage>()
            .Produces(400, 401, 404);
    }

    private async Task<IResult> Start(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        if (!StartRequest.Read(fields, caller.Authority.SpeaksAsUser).Try(out var asked, out var wrong))
            return wrong;
        if (!caller.Allows("write", "tasks", asked.Agent) && !caller.Allows("write", "sessions"))
            return SessionFamily.Instance.Forbidden($"write:tasks:{asked.Agent}");
        if (asked.ExternalId is { } name && SessionDoor.Hides(caller, name, null))
            return SessionFamily.NotFound;
        if (asked.Asked.ExpiresAt <= database.Now)
            return new Refusal(422, "expiresAt must be in the future") { ShouldRetry = false };
        if (!(await start.StartAsync(caller, asked)).Try(out var begun, out var refusal))
            return refusal;
        var token = await tokens.ForCreatorAsync(caller, begun.Session);
        return Reply.Json(
            begun.IsNew ? 201 : 200,
            new StartedSession(SessionItem.Of(begun.Session, database.Now), begun.RunId, token, !begun.IsNew)
        );
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller)
    {
        return (await door.FindAsync(http, caller, 3, "read")).Try(out var session, out var refusal)
            ? Reply.Ok(SessionItem.Of(session, database.Now))
            : refusal;
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        if (!SessionQuery.Read(http.Request.Query, database.Now).Try(out var query, out var wrong))
            return wrong;
        var agents = query.Filter.Agents;
        var allowed =
            caller.Allows("read", "sessions")
            || caller.Allows("read", "tasks")
            || (agents.Count > 0 && agents.All(agent => caller.Allows("read", "tasks", agent)));
        if (!allowed)
            return SessionFamily.Instance.Forbidden("read:sessions");
        var filter = query.Filter with { WithInternal = caller.Authority.Allows(RequiredScope.FullAdmin) };
        var found = await sessions.ListAsync(caller.Project, filter, query.Size, http.RequestAborted);
        return Reply.Ok(SessionPage.Of(found, query, database.Now));
    }

    private async Task<IResult> Update(HttpContext http, ProjectCaller caller)
    {
        if (!(await door.FindAsync(http, caller, 3, "admin")).Try(out var session, out var refusal))
            return refusal;
        if (!(await Fields.ReadAsync(http, MaxBody, emptyObject: true)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<UpdateSession>();
        var clears = fields.IsNull("metadata");
        if (fields.Refusal() is { } wrong)
            return wrong;
        if (fields.IsNull("externalId") || (asked.ExternalId is { } other && other != session.ExternalId))
            return new Refusal(422, "externalId cannot be changed") { ShouldRetry = false };
        var updated = await sessions.ChangeAsync(Conversation.NameOf(session), s => asked.Over(s, clears));
        return updated is null ? SessionFamily.NotFound : Reply.Ok(SessionItem.Of(updated, database.Now));
    }

    private async Task<IResult> Close(HttpContext http, ProjectCaller caller)
    {
        if (!(await door.FindAsync(http, caller, 3, "admin")).Try(out var session, out var refusal))
            return refusal;
        if (!(await Fields.ReadAsync(http, MaxBody, emptyObject: true)).Try(out var fields, out var unreadable))
            return unreadable;
        var (reason, callingRun) = fields.Read<CloseSession>();
        if (fields.Refusal() is { } wrong)
            return wrong;
        var closed = await database.WriteAsync(async tx =>
        {
            if (await SessionStore.LockAsync(tx, session.Project, session.Id) is not { } row)
                return null;
            await conversation.CloseAsync(tx, row, reason, callingRun);
            return await SessionStore.LockAsync(tx, session.Project, session.Id);
        });
        return closed is null ? SessionFamily.NotFound : Reply.Ok(SessionItem.Of(closed, database.Now));
    }

    private async Task<IResult> EndAndContinue(HttpContext http, ProjectCaller caller)
    {
        if (!(await door.FindAsync(http, caller, 3, "write")).Try(out var session, out var refusal))
            return refusal;
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var callingRun = fields.Read<EndAndContinue>().CallingRunId;
        if (fields.Refusal() is { } wrong)
            return wrong;
        return await database.WriteAsync<IResult>(async tx =>
        {
            if (await SessionStore.LockAsync(tx, session.Project, session.Id) is not { } row)
                return SessionFamily.NotFound;
            if (await RunStore.FindAsync(tx, session.Project, callingRun) is not { } run || run.Session != row.Id)
                return new Refusal(404, "Run not found") { ShouldRetry = false };
            if (WhyOver(row, tx.Now) is { } over)
                return over;
            if (row.CurrentRun != run.Id)
                return Reply.Ok(
                    new SwappedRun(row.CurrentRun ?? (await RunStore.LastOfAsync(tx, row.Project, row.Id))!, false)
                );
            // A new run would continue the turn without the answer.
            if (run.Approval is not null)
                return new Refusal(
                    409,
                    "The run waits for an approval: it is not handed over before the answer",
                    "awaiting_approval"
                )
                {
                    ShouldRetry = false,
                };
            return await SwapAsync(tx, row, run);
        });
    }

    private static Refusal? WhyOver(Session session, long now) =>
        session.IsClosed ? new Refusal(409, "The session is closed", "session_closed") { ShouldRetry = false }
        : session.IsExpired(now)
            ? new Refusal(409, "The session has expired", "session_expired") { ShouldRetry = false }
        : null;

    /// <summary>Ends the session's run and starts another in its place.</summary>
    private async ValueTask<IResult> SwapAsync(Tx tx, Session row, Run run)
    {
        // The new run opens the turn again, with the messages that are not answered yet.
        await tx.ExecuteAsync(
            "UPDATE session SET turn_deadline = NULL, current_run = NULL WHERE project = $1 AND id = $2",
            row.Project,
            row.Id
        );
        await machine.EndAsync(tx, row.Project, run.Id, Phase.Succeeded, "handed over to a fresh run");
        await AgentPlaces.FreeAsync(tx, row.Project, row.Agent, ofSession: true);
        var next = await conversation.StartRunAsync(tx, row with { CurrentRun = null }, null, bootMessage: false);
        return next is null
            ? new Refusal(409, $"The agent {row.Agent} is not registered", "unknown_agent") { ShouldRetry = false }
            : Reply.Ok(new SwappedRun(next, true));
    }

    private async Task<IResult> ReadTranscript(HttpContext http, ProjectCaller caller)
    {
        return (await door.FindAsync(http, caller, 3, "read")).Try(out var session, out var refusal)
            ? await door.TranscriptAsync(http, session)
            : refusal;
    }
}
