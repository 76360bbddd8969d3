using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// What a sign-in that opens nothing is answered: the page once more with the reason, and from an address that has
/// failed too often 429. It counts among its address's failures.
/// </summary>
internal sealed class SignInRefusals(SignInView view, FailedCredentials failed)
{
    /// <param name="reason">For the audit.</param>
    /// <param name="keyId">The key whose own text it was, when it has ended; for the audit.</param>
    /// <param name="refusal">The answer in words, shown on the page.</param>
    /// <param name="next">Where to go once it works.</param>
    public async Task<IResult> ShowAsync(HttpContext http, string reason, string? keyId, Refusal refusal, string next)
    {
        var counted = failed.Refuse(http, reason, keyId, refusal);
        return counted.Status == refusal.Status
            ? await view.ShowAsync(http, refusal.Status, refusal.Message, next)
            : counted;
    }

    /// <summary>For somebody who is known and may nothing here: there is nothing to try again.</summary>
    public Refusal TurnAway(HttpContext http, string reason, string who, Refusal refusal) =>
        failed.Refuse(http, reason, Audit.Hashed(who), refusal);

    /// <summary>For a fault that is nobody's failed try.</summary>
    public Task<IResult> ShowFaultAsync(HttpContext http, int status, string problem, string next) =>
        view.ShowAsync(http, status, problem, next);
}
