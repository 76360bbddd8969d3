using Postern.Access;

namespace Postern.Relay.Server;

/// <summary>
/// Writes the actions of planes to the audit. Repeats of one plane from one address within a minute become one row with
/// a count, so that a plane that connects a hundred times a second does not fill the table.
/// </summary>
internal sealed class RelayAudit(Audit audit, Projects projects)
{
    public ValueTask ConnectedAsync(ConnectionRow row) => WriteAsync("relay.connected", row, row.Transport);

    /// <summary>A frame that is malformed, or that another key has signed.</summary>
    public ValueTask RefusedAsync(ConnectionRow row, string why) => WriteAsync("relay.frame.refused", row, why);

    private async ValueTask WriteAsync(string action, ConnectionRow row, string why) =>
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
