namespace Postern.Http;

/// <summary>
/// The caller of a request, a feature of the request. Code that lets time pass, such as reading a body, checks it
/// again.
/// </summary>
internal abstract class RequestCaller
{
    /// <summary>The name under which what it uses is counted.</summary>
    public abstract string Party { get; }

    /// <summary>Checks again whether the caller may do what it was let in for.</summary>
    /// <exception cref="AuthorityEndedException">
    /// It ended meanwhile; the door answers 401 or 403 and nothing more is done.</exception>
    public abstract void EnsureStillAllowed();

    /// <summary>
    /// The same, and reads recent commits that only the store shows. For code outside of a transaction, as after a body
    /// or a wait.
    /// </summary>
    /// <exception cref="AuthorityEndedException">It ended meanwhile; the door answers 401 or 403.</exception>
    public abstract ValueTask EnsureStillAllowedAsync();
}
