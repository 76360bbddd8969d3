using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// Answers a sign-in that fails: the same page with the reason, or 429 for an address that has failed too often. It
/// counts as a failure of that address.
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

    /// <summary>For a known person without rights here, for whom trying again is of no use.</summary>
    public Refusal TurnAway(HttpContext http, string reason, string who, Refusal refusal) =>
        failed.Refuse(http, reason, Audit.Hashed(who), refusal);

    /// <summary>For a fault that is not a failed try of anybody.</summary>
    public Task<IResult> ShowFaultAsync(HttpContext http, int status, string problem, string next) =>
        view.ShowAsync(http, status, problem, next);
}
