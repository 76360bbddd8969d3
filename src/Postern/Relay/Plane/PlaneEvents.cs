using Postern.Access;
using Postern.Deliveries;
using Postern.Http;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Reports what happens with relays: in the audit, in the log, and as events of the project <c>default</c>, whose
/// administrators run the server.
/// </summary>
internal sealed class PlaneEvents(Database database, Projects projects, Outbox outbox, ILogger<PlaneEvents> log)
{
    public ILogger Log => log;

    public Task ConnectedAsync(JoinedPlane plane, string transport, PlaneStanding standing)
    {
        PlaneLog.Connected(log, plane.Relay, transport);
        standing.ToldAway = false;
        return ReportAsync(plane, "relay.connected", transport, EventType.RelayConnected);
    }

    public Task AwayAsync(JoinedPlane plane, string why) => ReportAsync(plane, "relay.away", why, EventType.RelayAway);

    /// <summary>The backlog at the relay grows; soon the relay refuses requests.</summary>
    public Task BacklogAsync(JoinedPlane plane, string what) =>
        ReportAsync(plane, "relay.backlog", what, EventType.RelayBacklog);

    /// <summary>An envelope is missing, or came out of order.</summary>
    public Task GapAsync(JoinedPlane plane, string action, string what)
    {
        PlaneLog.Distrusted(log, plane.Relay, what);
        return ReportAsync(plane, action, what, EventType.RelayGap);
    }

    /// <summary>The relay has no room for a question to a person.</summary>
    public Task NoRoomAsync(JoinedPlane plane, string page) =>
        ReportAsync(plane, "relay.page_refused", $"there is no room for the question {page}", null);

    /// <summary>The relay did what no honest relay does, so the connection ends.</summary>
    public Task DistrustedAsync(JoinedPlane plane, string action, string what)
    {
        PlaneLog.Distrusted(log, plane.Relay, what);
        return ReportAsync(plane, action, what, null);
    }

    private async Task ReportAsync(JoinedPlane plane, string action, string why, EventType? type)
    {
        var project = await projects.DefaultAsync();
        await database.WriteAsync(async tx =>
        {
            Audit.Write(
                tx,
                new AuditRow(
                    Audit.NoProject,
                    action,
                    Actor: plane.Plane,
                    Reason: Wire.Cut($"{plane.Relay}: {why}", 500)
                )
            );
            if (type is not null && project is not null)
                await outbox.EmitAsync(
                    tx,
                    project,
                    type,
                    plane.Relay,
                    json =>
                    {
                        json.WriteString("relay", plane.Relay);
                        json.WriteString("plane", plane.Plane);
                        json.WriteString("reason", why);
                    }
                );
            return 0;
        });
    }
}
