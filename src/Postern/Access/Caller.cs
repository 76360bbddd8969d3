namespace Postern.Access;

/// <summary>
/// Who came through a door that belongs to a project: what the credential proves, and no more. One lives as long as its request
/// or stream; a stream asks <see cref="WhyEnded"/> before each frame.
/// </summary>
internal sealed class ProjectCaller(string project, Authority authority)
{
    public string Project { get; } = project;

    public Authority Authority { get; } = authority;

    public ScopeSet Scopes => Authority.Scopes;

    /// <summary>Set once a scope has been asked for: a handler that never asks is a fault, not an open door.</summary>
    public bool ScopeWasChecked { get; private set; }

    public bool Allows(Need need)
    {
        ScopeWasChecked = true;
        return Scopes.Allows(need);
    }

    public bool Allows(string action, string type, string? id = null, string? otherId = null) => Allows(new Need(action, type, id, otherId));

    /// <summary>For a handler whose rule is not a scope (the run's own token, a row that does not exist): says that it decided.</summary>
    public void DecidedByHandler() => ScopeWasChecked = true;

    /// <summary>Why a stream under this caller must end now, or null: revoked, expired, or no longer allowed what it reads.</summary>
    public string? WhyEnded(long now, Need need) => Authority.WhyEnded(now) ?? (Authority.Scopes.Allows(need) ? null : StreamEnd.Forbidden);
}

/// <summary>The reasons that a stream ends with.</summary>
internal static class StreamEnd
{
    public const string Revoked = "revoked";
    public const string Expired = "expired";
    public const string Forbidden = "forbidden";
    public const string SessionClosed = "session_closed";
    public const string SessionDeleted = "session_deleted";
    public const string Shutdown = "shutdown";
}

/// <summary>The right behind a caller. It is shared and alive: a revocation or narrowed scopes show at once to all who hold it, in O(1).</summary>
internal abstract class Authority
{
    /// <summary>"key", "token" or "operator": for the audit and the timeline.</summary>
    public abstract string Credential { get; }

    /// <summary>The key's id, the token's subject, or the proxy's identity. The latter two are chosen by callers: logged hashed.</summary>
    public abstract string Actor { get; }

    public abstract ScopeSet Scopes { get; }

    /// <summary>When it ends by itself, microseconds; null when it does not.</summary>
    public abstract long? ExpiresAt { get; }

    public abstract string? WhyEnded(long now);
}

/// <summary>An identity that a trusted proxy vouches for. Its scopes are settings: they live as long as the process.</summary>
internal sealed class ProxyAuthority(string identity, ScopeSet scopes) : Authority
{
    public override string Credential => "operator";

    public override string Actor => identity;

    public override ScopeSet Scopes => scopes;

    public override long? ExpiresAt => null;

    public override string? WhyEnded(long now) => null;
}
