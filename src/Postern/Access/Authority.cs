using Postern.Http;

namespace Postern.Access;

/// <summary>
/// The right behind a caller: a live value that is asked, not a fact that was established once. It may be shared by
/// many requests and streams; a revocation, narrowed scopes, an expiry or the end of a run show at once to all who hold
/// it, in O(1). What a kind of credential may do, for whom it acts and with what it ends are members here, so that no
/// other file asks which kind it is.
/// </summary>
internal abstract class Authority
{
    /// <summary>
    /// The kind of credential, for the audit and the timeline: "key", "token", "run_token", "operator" and so on.
    /// </summary>
    public abstract string Credential { get; }

    /// <summary>
    /// The key's id, the token's subject, or the proxy's identity. The latter two are chosen by callers.
    /// </summary>
    public abstract string Actor { get; }

    /// <summary>
    /// The actor as it may be logged and kept: a key's id as it is, what callers choose as a short digest.
    /// </summary>
    public virtual string LoggedActor => Audit.Hashed(Actor);

    /// <summary>The scopes as they are now.</summary>
    public abstract ScopeSet Scopes { get; }

    /// <summary>
    /// When it ends by itself, in microseconds, without the clock skew that is allowed to tokens; null when it does
    /// not.
    /// </summary>
    public virtual long? ExpiresAt => null;

    /// <summary>
    /// The end that what it hands out must not go beyond: its own, but for a session, whose credential hands out.
    /// </summary>
    public virtual long? HandsOutUntil => ExpiresAt;

    /// <summary>Returns why it has ended (a <see cref="StreamEnd"/> reason), or null while it is good.</summary>
    /// <param name="now">The database's time, microseconds.</param>
    public abstract string? WhyEnded(long now);

    /// <summary>
    /// Learns what was committed meanwhile, where news of its end wait in the store; not inside a transaction.
    /// </summary>
    public virtual ValueTask RefreshAsync() => default;

    /// <summary>How it is refused once it has ended, in the words of each family.</summary>
    public virtual UnfitCredential OnceEnded => UnfitCredential.BadKey;

    /// <summary>
    /// Returns whether it may do this, now. The end of the authority itself is <see cref="WhyEnded"/>.
    /// </summary>
    public virtual bool Allows(RequiredScope need) => Scopes.Allows(need);

    /// <summary>
    /// Held by whatever stays open under it, where news of its end must be fetched; null where they come by themselves.
    /// </summary>
    public virtual IDisposable? Follow() => null;

    /// <summary>Returns whether it may do this to anything at all of a type, be it to one id.</summary>
    public virtual bool AllowsSome(string action, string type, Given how = Given.Anyhow) =>
        Scopes.AllowsSome(action, type, how);

    /// <summary>
    /// The key for which it acts: its own id, or that of the key that minted it. Null where no key stands behind it.
    /// </summary>
    public virtual KeyEntry? Key => null;

    /// <summary>The attempt of a run that it was handed to; null unless it is a worker's own credential.</summary>
    public virtual Worker? Worker => null;

    /// <summary>
    /// What it is known by where it names things of its own, such as idempotency keys: shared by a credential and what
    /// is derived from it, and by nobody else.
    /// </summary>
    public virtual string Name => Actor;

    /// <summary>
    /// A name that no other credential can give, for what this one calls by a key of its own, however either is
    /// spelt.
    /// </summary>
    public string Own(string key) => $"{Credential}:{Uri.EscapeDataString(Name)}:{key}";

    /// <summary>Speaks as the user, whatever role a message of it claims.</summary>
    public virtual bool SpeaksAsUser => false;

    /// <summary>Handed to a worker of a run in this session.</summary>
    public bool IsWorkerOf(string session) => Worker?.Session == session;

    /// <summary>The person for whom a command-line client holds it; null for every other credential.</summary>
    public virtual string? Person => null;

    /// <summary>What a token that is derived from it inherits; null when none may be derived.</summary>
    public virtual Lineage? Lineage => null;

    /// <summary>The name of a rate bucket of its own, beside its project's; null when it has none.</summary>
    public virtual string? Bucket => null;

    /// <summary>Requests at once and a second, where it has a rate of its own that no setting changes.</summary>
    public virtual (int Burst, int PerSecond)? OwnRate => null;

    /// <summary>
    /// The grant of the key behind it, as a change of access asks it again; null when none stands there.
    /// </summary>
    public virtual KeyGrant? Grant => null;

    /// <summary>
    /// What a job keeps of it, so that it can be asked again when the request is over; null when no job can be started
    /// with it.
    /// </summary>
    public virtual Mandate? Mandate => null;

    /// <summary>A browser adds it to every request, also to those that another site has made it send.</summary>
    public virtual bool IsAmbient => false;
}
