using Postern.Access;
using Postern.Agents;
using Postern.Http;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// Starts sessions: the row and its first run in one transaction. Any number of callers at the same time get the same
/// answer.
/// </summary>
internal sealed class SessionStart(
    Database database,
    SessionStore sessions,
    Conversation conversation,
    Transcript transcript,
    Reactions<SessionCreated> created
)
{
    /// <summary>
    /// Returns the session, its live run and whether this call created it; or a refusal, and then nothing was written.
    /// </summary>
    public async Task<Checked<BegunSession>> StartAsync(ProjectCaller caller, StartRequest asked)
    {
        var id = Id.New(Session.Prefix, database.Now);
        var answer = await database.WriteAsync<Checked<BegunSession>>(async tx =>
        {
            if (!await HasAgentAsync(tx, caller.Project, asked.Agent))
                return new Refusal(
                    422,
                    $"There is no agent {asked.Agent}; register it with PUT /api/v1/agents/{asked.Agent}",
                    "unknown_agent"
                )
                {
                    ShouldRetry = false,
                };
            var fresh = asked.Over(New(tx, caller.Project, id, asked.ExternalId, asked.Agent, asked.Asked.Type));
            return await SessionStore.InsertAsync(tx, fresh)
                ? await BeginAsync(tx, fresh, asked)
                : await ContinueAsync(tx, caller, asked);
        });
        if (answer.Try(out var begun, out _))
            sessions.Keep(begun.Session);
        return answer;
    }

    /// <summary>Returns whether an agent is registered: no session is made without one.</summary>
    public static async ValueTask<bool> HasAgentAsync(Tx tx, string project, string agent) =>
        await AgentStore.FindAsync(tx, project, agent) is not null;

    /// <summary>Creates a session under a history key for a message, without a run.</summary>
    public static Session New(Tx tx, string project, string id, string? externalId, string agent, string type) =>
        new()
        {
            Project = project,
            Id = id,
            ExternalId = externalId,
            Key = Session.KeyOf(agent, externalId ?? id),
            Type = type,
            Agent = agent,
            CreatedAt = tx.Now,
            UpdatedAt = tx.Now,
        };

    private async ValueTask<Checked<BegunSession>> BeginAsync(Tx tx, Session session, StartRequest asked)
    {
        await created.RaiseAsync(tx, new SessionCreated(session));
        if (asked.Message is { OnlyMerges: false })
        {
            await transcript.InsertAsync(tx, session.Project, session.Id, session.MessageNext, asked.Message, null);
            await tx.ExecuteAsync(
                "UPDATE session SET message_next = message_next + 1 WHERE project = $1 AND id = $2",
                session.Project,
                session.Id
            );
        }
        var run = await conversation.StartRunAsync(tx, session, asked.BasePayload, asked.HasMessage);
        return new BegunSession((await SessionStore.LockAsync(tx, session.Project, session.Id))!, run!, true);
    }

    private async ValueTask<Checked<BegunSession>> ContinueAsync(Tx tx, ProjectCaller caller, StartRequest asked)
    {
        if (
            asked.ExternalId is null
            || await SessionStore.FindAsync(tx, caller.Project, asked.ExternalId) is not { } found
            || await SessionStore.LockAsync(tx, caller.Project, found.Id) is not { } stored
        )
            return new Refusal(409, "Another session has this key", "key_taken") { ShouldRetry = false };
        // The right that the body names is not the right to the row that is there.
        if (
            !caller.Allows("write", "tasks", stored.Agent)
            && !caller.Allows("write", "sessions", stored.Id, stored.ExternalId)
        )
            return caller.Allows("read", "sessions", stored.Id, stored.ExternalId)
                ? SessionFamily.Instance.Forbidden($"write:sessions:{stored.Name}")
                : SessionFamily.NotFound;
        if (stored.IsClosed)
            return new Refusal(409, "The session is closed", "session_closed")
            {
                Extra = [("closedReason", stored.ClosedReason)],
                ShouldRetry = false,
            };
        if (stored.IsExpired(tx.Now))
            return new Refusal(409, "The session has expired", "session_expired") { ShouldRetry = false };
        await SessionStore.SaveAsync(tx, asked.Over(stored));
        var run = stored.CurrentRun ?? await conversation.StartRunAsync(tx, stored, null, bootMessage: false);
        if (run is null)
            return new Refusal(422, $"There is no agent {stored.Agent}", "unknown_agent") { ShouldRetry = false };
        return new BegunSession((await SessionStore.LockAsync(tx, stored.Project, stored.Id))!, run, false);
    }
}
