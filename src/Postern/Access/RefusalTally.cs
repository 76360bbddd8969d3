using Postern.Storage;

namespace Postern.Access;

/// <summary>Chooses the measure under which a refusal is counted, by its audit row.</summary>
internal static class RefusalTally
{
    public static Measure Of(AuditRow refusal) =>
        (refusal.Action, refusal.Reason) switch
        {
            (Audit.ScopeRefused, _) => Measure.RefusedScope,
            (Audit.RateRefused, _) or (_, FailedCredentials.TooMany) => Measure.RefusedRate,
            (Audit.InboundRefused, _) or (_, "wrong_callback_token") => Measure.RefusedSignature,
            (_, "missing" or "no_session") => Measure.RefusedMissing,
            (_, StreamEnd.Expired or StreamEnd.Revoked) => Measure.RefusedEnded,
            _ => Measure.RefusedCredential,
        };
}
