using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// The caller of a door that belongs to a project: what its credential proves, and no more. It remembers which rights
/// it has used, so that they can be checked again later (<see cref="EnsureStillAllowed"/>): after a body was read, at
/// each wake of a wait, before each batch of a long operation, and before each frame of a stream.
/// </summary>
internal sealed class ProjectCaller(string project, Authority authority, Database database) : RequestCaller
{
    /// <summary>The rights that it has used. Most requests use one.</summary>
    private RequiredScope? _first;
    private List<RequiredScope>? _others;
    private RequiredScope? _denied;

    public string Project { get; } = project;

    public Authority Authority { get; } = authority;

    /// <summary>A token counts by itself; keys count with their project, as their rate does.</summary>
    public override string Party => Authority.Bucket ?? "project " + Project;

    public ScopeSet Scopes => Authority.Scopes;

    /// <summary>Set when a scope was checked. A handler that never checks is a fault, not an open door.</summary>
    public bool ScopeWasChecked { get; private set; }

    public bool Allows(RequiredScope need)
    {
        ScopeWasChecked = true;
        if (!Authority.Allows(need))
        {
            _denied ??= need;
            return false;
        }
        if (_first is null)
            _first = need;
        else if (_first != need)
            (_others ??= []).Add(need);
        return true;
    }

    /// <summary>The refused scope, when nothing that was asked was allowed; else null.</summary>
    public RequiredScope? Denied => _first is null ? _denied : null;

    public bool Allows(string action, string type, string? id = null, string? otherId = null) =>
        Allows(new RequiredScope(action, type, id, otherId));

    /// <summary>Records a decision of a handler whose rule is not a scope (a missing row, the kind of key).</summary>
    public void DecidedByHandler() => ScopeWasChecked = true;

    /// <summary>
    /// Returns why a stream of this caller must end now, or null: revoked, expired, or without the right that it uses.
    /// </summary>
    public string? WhyStopped(RequiredScope need) =>
        WhyStopped() ?? (_first == need || Authority.Allows(need) ? null : StreamEnd.Forbidden);

    /// <summary>Returns why this caller may no longer do what it was let in for, or null.</summary>
    /// <param name="asNow">Its authority as a transaction reads it; null for what is in memory.</param>
    public string? WhyStopped(Authority? asNow = null)
    {
        var asked = asNow ?? Authority;
        if (asked.WhyEnded(database.Now) is { } ended)
            return ended;
        if (_first is { } first && !asked.Allows(first))
            return StreamEnd.Forbidden;
        if (_others is not null)
            foreach (var need in _others)
                if (!asked.Allows(need))
                    return StreamEnd.Forbidden;
        return null;
    }

    public override void EnsureStillAllowed()
    {
        if (WhyStopped() is { } reason)
            throw new AuthorityEndedException(reason);
    }

    public override async ValueTask EnsureStillAllowedAsync()
    {
        await Authority.RefreshAsync();
        EnsureStillAllowed();
    }
}
