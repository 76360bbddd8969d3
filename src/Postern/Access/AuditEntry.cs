using Postern.Http;

namespace Postern.Access;

/// <summary>A stored row of the audit.</summary>
/// <param name="At">Microseconds; of counted refusals, the first.</param>
/// <param name="Times">How many it counts.</param>
internal sealed record AuditEntry(AuditRow Row, string Id, long At, long Times)
{
    public bool IsRefusal => Row.Action.EndsWith(".refused", StringComparison.Ordinal);

    public AuditView View =>
        new()
        {
            Id = Id,
            At = Wire.Iso(At),
            Action = Row.Action,
            Credential = Row.Credential,
            Actor = Row.Actor,
            Route = Row.Route,
            Address = Row.Address,
            Reason = Row.Reason,
            Trigger = Row.Trigger?.Name,
            Times = Times,
        };
}
