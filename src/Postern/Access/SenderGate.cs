using Postern.Http;

namespace Postern.Access;

/// <summary>
/// What <see cref="Gate"/> does for callers, for senders whose proof the handler verifies by itself: signed bodies and
/// tokens of callbacks. A wrong proof costs what a wrong credential costs, and a right one a place in its project's own
/// rate.
/// </summary>
internal sealed class SenderGate(FailedCredentials failed, VerificationPlaces places, Rates rates)
{
    /// <summary>
    /// Runs a verification, a costly one in a place of its own. Returns null when too many wait
    /// (<see cref="VerificationPlaces.Busy"/>).
    /// </summary>
    /// <param name="http">The request.</param>
    /// <param name="bytes">The body's length.</param>
    /// <param name="secrets">Against how many it is tried.</param>
    /// <param name="verify">The verification.</param>
    public ValueTask<T?> VerifyAsync<T>(HttpContext http, int bytes, int secrets, Func<T> verify)
        where T : class => places.VerifyAsync(bytes, secrets, verify, http.RequestAborted);

    /// <summary>The refusal of a wrong proof, or 429 in its place when this address has failed too often.</summary>
    /// <param name="http">The request.</param>
    /// <param name="reason">For the audit.</param>
    /// <param name="refusal">The 401 in the door's words.</param>
    /// <param name="trigger">The trigger whose URL was asked.</param>
    public Refusal Refuse(HttpContext http, string reason, Refusal refusal, AuditTrigger? trigger = null) =>
        failed.Refuse(http, reason, null, refusal, trigger);

    /// <summary>Turns away what came rightly to a trigger's URL.</summary>
    /// <param name="reason">For the audit of the trigger; the sender gets <paramref name="refusal"/>.</param>
    public Refusal TurnAway(HttpContext http, AuditTrigger trigger, string reason, Refusal refusal) =>
        failed.TurnAway(http, trigger, reason, refusal);

    /// <summary>Returns null when a project's senders may go on, else the 429.</summary>
    public Refusal? Slower(HttpContext http, string project) => rates.OfCallback(http, project);
}
