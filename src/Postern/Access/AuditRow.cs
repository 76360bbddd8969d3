namespace Postern.Access;

/// <summary>
/// One audit row: what happened, with which credential, by whom, on which route, from where. Never a secret.
/// </summary>
/// <param name="Trigger">The trigger at whose URL it was refused.</param>
internal sealed record AuditRow(
    string Project,
    string Action,
    string? Credential = null,
    string? Actor = null,
    string? Route = null,
    string? Address = null,
    string? Reason = null,
    AuditTrigger? Trigger = null
);
