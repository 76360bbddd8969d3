using Postern.Access;
using Postern.Http;

namespace Postern.Deliveries;

/// <summary>
/// Checks what agents and endpoints have in common: a name in paths, a URL that the server calls, a secret that signs
/// these calls, and links that decide questions.
/// </summary>
internal sealed class TargetCheck(OutboundGuard outbound)
{
    /// <summary>Adds a fault for a URL that the server may not connect to, and for an invalid secret.</summary>
    public async ValueTask CheckAsync(HttpContext http, Fields fields, string? url, string? secret)
    {
        if (url is not null && await outbound.ValidateAsync(http, url) is { } problem)
            fields.Fault("url", problem);
        if (secret is not null && !SigningSecret.IsOne(secret))
            fields.Fault("secret", SigningSecret.Authorization);
    }

    /// <summary>
    /// Returns all faults in one refusal, or the refusal that only administrators may give links, because a link
    /// decides its question. Null when all is well.
    /// </summary>
    public static Refusal? WhyNot(HttpContext http, ProjectCaller caller, Fields fields, bool links) =>
        fields.Refusal()
        ?? (links && !caller.Allows(RequiredScope.FullAdmin) ? ErrorFormat.Of(http).Forbidden("admin") : null);
}
