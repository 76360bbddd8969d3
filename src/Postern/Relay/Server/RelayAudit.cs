using Postern.Access;

namespace Postern.Relay.Server;

/// <summary>
/// What planes do, for the audit. The same of one plane and one address within a minute is one row with a count: a
/// plane that connects a hundred times a second fills no table.
/// </summary>
internal sealed class RelayAudit(Audit audit, Projects projects)
{
    public ValueTask ConnectedAsync(ConnectionRow row) => NoteAsync("relay.connected", row, row.Transport);

    /// <summary>A frame that was none, or that another has signed.</summary>
    public ValueTask RefusedAsync(ConnectionRow row, string why) => NoteAsync("relay.frame.refused", row, why);

    private async ValueTask NoteAsync(string action, ConnectionRow row, string why) =>
        audit.Note(
            new AuditRow(
                await projects.DefaultAsync() ?? Audit.NoProject,
                action,
                "plane",
                row.Plane,
                Address: row.Address,
                Reason: why
            )
        );
}
