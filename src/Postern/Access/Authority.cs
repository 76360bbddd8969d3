using Postern.Http;

namespace Postern.Access;

/// <summary>
/// The right behind a caller. It is a live object that is asked each time, not a fact established once. Many requests
/// and streams may share it. A revocation, narrowed scopes, an expiry or the end of a run is visible to all of them at
/// once, in O(1). What a kind of credential may do, for whom it acts and with what it ends are members of this class,
/// so that no other file asks for the kind.
/// </summary>
internal abstract class Authority
{
    /// <summary>
    /// The kind of credential, for the audit and the timeline: "key", "token", "run_token", "operator" and so on.
    /// </summary>
    public abstract string Credential { get; }

    /// <summary>The key's id, the token's subject, or the proxy's identity. Callers choose the latter two.</summary>
    public abstract string Actor { get; }

    /// <summary>
    /// The actor as it may be logged and stored: a key's id unchanged, texts that callers choose as a short digest.
    /// </summary>
    public virtual string LoggedActor => Audit.Hashed(Actor);

    /// <summary>The present scopes.</summary>
    public abstract ScopeSet Scopes { get; }

    /// <summary>
    /// When it expires, in microseconds, without the clock skew that tokens are allowed; null when it does not expire.
    /// </summary>
    public virtual long? ExpiresAt => null;

    /// <summary>
    /// The latest end of a credential derived from it: its own end, or for a session that of the credential behind it.
    /// </summary>
    public virtual long? HandsOutUntil => ExpiresAt;

    /// <summary>Returns why it has ended (a <see cref="StreamEnd"/> reason), or null while it is good.</summary>
    /// <param name="now">The database's time, microseconds.</param>
    public abstract string? WhyEnded(long now);

    /// <summary>
    /// Reads news of its end from the store, where they do not arrive by themselves. Not allowed inside a transaction.
    /// </summary>
    public virtual ValueTask RefreshAsync() => default;

    /// <summary>Returns the refusal after its end, in the words of each error format.</summary>
    public virtual UnfitCredential OnceEnded => UnfitCredential.BadKey;

    /// <summary>Returns whether it may do this now. Its end is a separate question: <see cref="WhyEnded"/>.</summary>
    public virtual bool Allows(RequiredScope need) => Scopes.Allows(need);

    /// <summary>
    /// Held while something is open under it and news of its end must be fetched; null where they arrive by themselves.
    /// </summary>
    public virtual IDisposable? Follow() => null;

    /// <summary>Returns whether it may do this to anything of a type, even to a single id.</summary>
    public virtual bool AllowsSome(string action, string type, Given how = Given.Anyhow) =>
        Scopes.AllowsSome(action, type, how);

    /// <summary>
    /// The key for which it acts: its own id, or the id of the key that minted it. Null when there is no key.
    /// </summary>
    public virtual KeyEntry? Key => null;

    /// <summary>The attempt of a run that it belongs to; null unless it is a worker's own credential.</summary>
    public virtual Worker? Worker => null;

    /// <summary>
    /// The owner of names such as idempotency keys: the same for a credential and everything derived from it, and for
    /// nobody else.
    /// </summary>
    public virtual string Name => Actor;

    /// <summary>
    /// Returns a name that no other credential can produce, for a key that this one has chosen, whatever the spelling.
    /// </summary>
    public string Own(string key) => $"{Credential}:{Uri.EscapeDataString(Name)}:{key}";

    /// <summary>Whether it speaks as the user, whatever role its message claims.</summary>
    public virtual bool SpeaksAsUser => false;

    /// <summary>Whether it belongs to a worker of a run in this session.</summary>
    public bool IsWorkerOf(string session) => Worker?.Session == session;

    /// <summary>The person for whom a command-line client holds it; null for every other credential.</summary>
    public virtual string? Person => null;

    /// <summary>What a token derived from it inherits; null when none may be derived.</summary>
    public virtual Lineage? Lineage => null;

    /// <summary>The name of its own rate bucket, beside its project's; null when it has none.</summary>
    public virtual string? Bucket => null;

    /// <summary>Whether it may have as many streams open as a token, not as a key.</summary>
    public virtual bool HasStreamsOfToken => Bucket is not null || Worker is not null;

    /// <summary>
    /// Its own rate, as requests at once and for each second, which no setting changes; null when it has none.
    /// </summary>
    public virtual (int Burst, int PerSecond)? OwnRate => null;

    /// <summary>
    /// The grant of the key behind it, for the check inside a change of access; null when there is none.
    /// </summary>
    public virtual KeyGrant? Grant => null;

    /// <summary>What a job stores of it, to find it again after the request; null when it cannot start a job.</summary>
    public virtual Mandate? Mandate => null;

    /// <summary>Whether a browser adds it to every request, even to one that another site caused.</summary>
    public virtual bool IsAmbient => false;
}
