using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// Who came through a door that belongs to a project: what the credential proves, and no more. It remembers what it was
/// let in for, so that the same can be asked again whenever time has passed (<see cref="EnsureStillAllowed"/>): after a
/// body has been read, at each wake of a wait, before each batch of a long operation, and before each frame of a
/// stream.
/// </summary>
internal sealed class ProjectCaller(string project, Authority authority, Database database) : RequestCaller
{
    /// <summary>What it has been let in for. Most requests ask for one thing.</summary>
    private RequiredScope? _first;
    private List<RequiredScope>? _others;
    private RequiredScope? _denied;

    public string Project { get; } = project;

    public Authority Authority { get; } = authority;

    public ScopeSet Scopes => Authority.Scopes;

    /// <summary>Set once a scope has been asked for: a handler that never asks is a fault, not an open door.</summary>
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

    /// <summary>What it asked for and may not, when nothing that it asked for was allowed; else null.</summary>
    public RequiredScope? Denied => _first is null ? _denied : null;

    public bool Allows(string action, string type, string? id = null, string? otherId = null) =>
        Allows(new RequiredScope(action, type, id, otherId));

    /// <summary>
    /// For a handler whose rule is not a scope (a row that does not exist, the kind of key): says that it decided.
    /// </summary>
    public void DecidedByHandler() => ScopeWasChecked = true;

    /// <summary>
    /// Why a stream under this caller must end now, or null: revoked, expired, or no longer allowed what it was let in
    /// for or reads.
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
