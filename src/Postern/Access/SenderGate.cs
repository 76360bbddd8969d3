using Postern.Http;

namespace Postern.Access;

/// <summary>
/// Does for senders whose proof the handler verifies (signed bodies, tokens of callbacks) what <see cref="Gate"/> does
/// for other callers. A wrong proof costs the same as a wrong credential. A right one takes a place in its project's
/// own rate.
/// </summary>
internal sealed class SenderGate(FailedCredentials failed, VerificationPlaces places, Rates rates)
{
    /// <summary>
    /// Runs a verification; an expensive one takes a place. Returns null when too many wait
    /// (<see cref="VerificationPlaces.Busy"/>).
    /// </summary>
    /// <param name="http">The request.</param>
    /// <param name="bytes">The body's length.</param>
    /// <param name="secrets">Against how many it is tried.</param>
    /// <param name="verify">The verification.</param>
    public ValueTask<T?> VerifyAsync<T>(HttpContext http, int bytes, int secrets, Func<T> verify)
        where T : class => places.VerifyAsync(bytes, secrets, verify, http.RequestAborted);

    /// <summary>Returns the refusal of a wrong proof, or 429 when this address has failed too often.</summary>
    /// <param name="http">The request.</param>
    /// <param name="reason">For the audit.</param>
    /// <param name="refusal">The 401 in the door's words.</param>
    /// <param name="trigger">The trigger whose URL was asked.</param>
    public Refusal Refuse(HttpContext http, string reason, Refusal refusal, AuditTrigger? trigger = null) =>
        failed.Refuse(http, reason, null, refusal, trigger);

    /// <summary>Refuses a request with a right proof at a trigger's URL.</summary>
    /// <param name="reason">For the audit of the trigger; the sender gets <paramref name="refusal"/>.</param>
    public Refusal TurnAway(HttpContext http, AuditTrigger trigger, string reason, Refusal refusal) =>
        failed.TurnAway(http, trigger, reason, refusal);

    /// <summary>Returns null when a project's senders may go on, else the 429.</summary>
    public Refusal? Slower(HttpContext http, string project) => rates.OfCallback(http, project);
}
