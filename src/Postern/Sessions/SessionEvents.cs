using Postern.Deliveries;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>Emits the events about sessions, in the transaction of the change.</summary>
internal sealed class SessionEvents(Outbox outbox)
{
    public ValueTask CreatedAsync(Tx tx, SessionCreated change) =>
        EmitAsync(tx, EventType.SessionCreated, change.Session, null);

    public ValueTask EndedAsync(Tx tx, SessionEnded change) =>
        EmitAsync(
            tx,
            change.End == SessionEnd.Closed ? EventType.SessionClosed : EventType.SessionExpired,
            change.Session,
            change.Reason
        );

    public ValueTask CommittedAsync(
        Tx tx,
        string project,
        string session,
        long seq,
        string id,
        string role,
        string? run
    ) =>
        outbox.EmitAsync(
            tx,
            project,
            EventType.MessageCommitted,
            session,
            json =>
            {
                json.WriteString("sessionId", session);
                json.WriteString("messageId", id);
                json.WriteNumber("seq", seq);
                json.WriteString("role", role);
                json.WriteString("runId", run);
            }
        );

    private ValueTask EmitAsync(Tx tx, EventType type, Session session, string? reason) =>
        outbox.EmitAsync(
            tx,
            session.Project,
            type,
            session.Id,
            json =>
            {
                json.WriteString("sessionId", session.Id);
                json.WriteString("externalId", session.ExternalId);
                json.WriteString("agent", session.Agent);
                if (reason is not null)
                    json.WriteString("reason", reason);
            }
        );
}
