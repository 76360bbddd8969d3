using Postern.Http;

namespace Postern.Access;

/// <summary>
/// Whoever is handed a credential must be allowed to have it: making a key, rotating it and minting a token all ask here. Scopes and expiry
/// lie within the caller's own; and no right that is only implied makes a credential that decides approvals (<c>write:approvals</c>): that
/// takes a caller that has it by name, or the command line.
/// </summary>
internal static class Minting
{
    /// <summary>Why a caller may not hand out these scopes, as a refusal that names those that are denied; or null.</summary>
    public static Refusal? Refuse(ProjectCaller caller, IReadOnlyList<string> scopes)
    {
        var denied = Denied(caller, scopes, DenialOf.Width);
        if (denied.Count > 0) return Refused("The scopes exceed those of the key", "scopes_exceed_key_access", denied);
        denied = Denied(caller, scopes, DenialOf.Name);
        return denied.Count == 0
            ? null
            : Refused("Deciding approvals is handed on only by a key that has it by name, or by the command line: postern keys create", "needs_grant_by_name", denied);
    }

    /// <summary>The same for a key without scopes, which has all rights but those that take a name.</summary>
    public static Refusal? RefuseEverything(ProjectCaller caller) =>
        caller.Authority.Allows(Need.FullAdmin) ? null : Refused("The scopes exceed those of the key", "scopes_exceed_key_access", ["admin"]);

    /// <summary>Why an end is later than the caller's own, or null. A null end is never.</summary>
    public static Refusal? RefuseExpiry(ProjectCaller caller, long? expiresAt) =>
        caller.Authority.ExpiresAt is { } own && (expiresAt is null || expiresAt > own)
            ? new Refusal(403, $"expiresAt must not be after the end of the key that asks, {Wire.Iso(own)}.", "expiry_exceeds_key")
            : null;

    /// <summary>Why a caller may not hand out a scope, or null.</summary>
    public static DenialOf? WhyNot(ProjectCaller caller, Scope scope)
    {
        if (!caller.Scopes.MayMint(scope)) return DenialOf.Width;
        return scope.DecidesApprovals && !caller.Authority.Allows(new Need("write", "approvals", scope.Id, How: Given.ByName)) ? DenialOf.Name : null;
    }

    private static List<string> Denied(ProjectCaller caller, IReadOnlyList<string> scopes, DenialOf denial) =>
        [.. scopes.Where(text => ScopeSet.Parse([text]).Listed.Any(scope => WhyNot(caller, scope) == denial))];

    private static Refusal Refused(string message, string code, List<string> denied) =>
        new(403, message, code) { Extra = [("deniedScopes", denied)], ShouldRetry = false };
}

/// <summary>What a caller lacks to hand out a scope.</summary>
internal enum DenialOf
{
    /// <summary>It is wider than what the caller has.</summary>
    Width,

    /// <summary>The caller has it only by implication.</summary>
    Name,
}
