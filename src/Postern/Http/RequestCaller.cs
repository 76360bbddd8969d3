namespace Postern.Http;

/// <summary>
/// Who makes a request, set on it as a feature: asked again by whatever lets time pass, such as the reading of a body.
/// </summary>
internal abstract class RequestCaller
{
    /// <summary>Asks again whether the caller may do what it was let in for.</summary>
    /// <exception cref="AuthorityEndedException">
    /// It ended meanwhile; the door answers 401 or 403 and nothing more is done.
    /// </exception>
    public abstract void EnsureStillAllowed();

    /// <summary>
    /// The same, with what was committed meanwhile and only a look into the store tells: for whoever is in no
    /// transaction, as after a body or a wait.
    /// </summary>
    /// <exception cref="AuthorityEndedException">It ended meanwhile; the door answers 401 or 403.</exception>
    public abstract ValueTask EnsureStillAllowedAsync();
}
