using Postern.Http;

namespace Postern.Access;

/// <param name="Caller">Who came in, or null.</param>
/// <param name="Why">What was unfit, when nobody did.</param>
/// <param name="Reason">For the audit and, for tokens, the challenge.</param>
/// <param name="KeyId">The key, where one of its own texts was refused; never what was only claimed.</param>
/// <param name="IsAmbiguous">Two credentials that disagree: refused whatever they are.</param>
/// <param name="Refusal">Why the signed body could not be read.</param>
internal readonly record struct CredentialAnswer(
    ProjectCaller? Caller,
    UnfitCredential Why,
    string Reason,
    string? KeyId,
    bool IsAmbiguous,
    Refusal? Refusal = null
)
{
    public static CredentialAnswer Ambiguous { get; } = new(null, default, "ambiguous", null, true);

    public static CredentialAnswer Unread(Refusal why) => new(null, default, "", null, false, why);

    public static CredentialAnswer Fit(ProjectCaller caller) => new(caller, default, "", null, false);

    public static CredentialAnswer Unfit(UnfitCredential why, string reason, string? keyId = null) =>
        new(null, why, reason, keyId, false);
}
