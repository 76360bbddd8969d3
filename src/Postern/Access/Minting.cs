using Postern.Http;

namespace Postern.Access;

/// <summary>
/// Checks that a caller may have the credential that it asks for: making a key, rotating it and minting a token all use
/// these checks. Scopes and expiry must lie within the caller's own. A credential that decides approvals
/// (<c>write:approvals</c>) needs a caller that has this scope by name, or the command line; an implied right is not
/// enough.
/// </summary>
internal static class Minting
{
    /// <summary>
    /// Returns why a caller may not pass on these scopes, as a refusal that names the denied ones; or null.
    /// </summary>
    public static Refusal? Refuse(ProjectCaller caller, IReadOnlyList<string> scopes)
    {
        var denied = Denied(caller, scopes, DenialOf.Width);
        if (denied.Count > 0)
            return Refused("The scopes exceed those of the key", "scopes_exceed_key_access", denied);
        denied = Denied(caller, scopes, DenialOf.Name);
        return denied.Count == 0
            ? null
            : Refused(
                "Deciding approvals is handed on only by a key that has it by name, or by the command line: postern "
                    + "keys create",
                "needs_grant_by_name",
                denied
            );
    }

    /// <summary>
    /// The same for a key without scopes, which has all rights except those that must be given by name.
    /// </summary>
    private static Refusal? RefuseEverything(ProjectCaller caller) =>
        caller.Authority.Allows(RequiredScope.FullAdmin)
            ? null
            : Refused("The scopes exceed those of the key", "scopes_exceed_key_access", ["admin"]);

    /// <summary>Returns why an end is later than the caller's own, or null. A null end is never.</summary>
    public static Refusal? RefuseExpiry(ProjectCaller caller, long? expiresAt) =>
        caller.Authority.HandsOutUntil is { } own && (expiresAt is null || expiresAt > own)
            ? new Refusal(
                403,
                $"expiresAt must not be after the end of the key that asks, {Wire.Iso(own)}.",
                "expiry_exceeds_key"
            )
            : null;

    /// <summary>
    /// Returns why a caller may not rotate a key, or null. A rotation passes on the key. A secret that is being rotated
    /// away may not rotate its key, because its life would become longer than the overlap.
    /// </summary>
    public static Refusal? RefuseRotation(ProjectCaller caller, KeyRow row)
    {
        if (caller.Authority.Key?.Row.Id == row.Id)
            return RefuseExpiry(caller, row.ExpiresAt);
        const string byCommand = "or by the command line: postern keys rotate.";
        if (row.Kind == "root")
            return new Refusal(403, "The root key is rotated by itself, " + byCommand, "root_key_required");
        if (row.Kind == "pat")
            return new Refusal(403, "A person's key is rotated by its holder, " + byCommand, "personal_key");
        return RefuseScopes(caller, row.Scopes) ?? RefuseExpiry(caller, row.ExpiresAt);
    }

    /// <summary>
    /// Returns why a caller may not change a key in this way, or null. A key that expires may shorten a life, even its
    /// own, and narrow any key. It may not extend a life beyond its own end, nor give rights to a key that lives
    /// longer.
    /// </summary>
    public static Refusal? RefuseChange(ProjectCaller caller, KeyRow row, KeyChange change)
    {
        if (change.Scopes is not null && RefuseScopes(caller, change.Scopes) is { } wider)
            return wider;
        var end = change.EndsNever ? null : change.ExpiresAt ?? row.ExpiresAt;
        var lengthens = (change.EndsNever || change.ExpiresAt is not null) && !(end < row.ExpiresAt);
        return lengthens || (change.Scopes is not null && !IsWithin(change.Scopes, row.Scopes))
            ? RefuseExpiry(caller, end)
            : null;
    }

    /// <summary>Returns why a caller may not give a key these scopes. No scopes means all rights.</summary>
    public static Refusal? RefuseScopes(ProjectCaller caller, IReadOnlyList<string> scopes) =>
        scopes.Count == 0 ? RefuseEverything(caller) : Refuse(caller, scopes);

    /// <summary>Returns whether a key's new scopes give nothing new, by name or otherwise.</summary>
    private static bool IsWithin(IReadOnlyList<string> scopes, IReadOnlyList<string> old)
    {
        if (scopes.Count == 0 || old.Count == 0)
            return scopes.Count == 0 && old.Count == 0;
        var had = ScopeSet.Parse(old);
        return ScopeSet
            .Parse(scopes)
            .Listed.All(s =>
                had.MayMint(s)
                && (!s.DecidesApprovals || had.Allows(new RequiredScope("write", "approvals", s.Id, How: Given.ByName)))
            );
    }

    /// <summary>Returns why a caller may not pass on a scope, or null.</summary>
    public static DenialOf? WhyNot(ProjectCaller caller, Scope scope)
    {
        if (!caller.Scopes.MayMint(scope))
            return DenialOf.Width;
        // Asked through the caller, which remembers the question: it is repeated inside the transaction.
        return
            scope.DecidesApprovals
            && !caller.Allows(new RequiredScope("write", "approvals", scope.Id, How: Given.ByName))
            ? DenialOf.Name
            : null;
    }

    private static List<string> Denied(ProjectCaller caller, IReadOnlyList<string> scopes, DenialOf denial) =>
        [.. scopes.Where(text => ScopeSet.Parse([text]).Listed.Any(scope => WhyNot(caller, scope) == denial))];

    private static Refusal Refused(string message, string code, List<string> denied) =>
        new(403, message, code) { Extra = [("deniedScopes", denied)], ShouldRetry = false };
}
