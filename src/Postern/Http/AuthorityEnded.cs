namespace Postern.Http;

/// <summary>
/// The caller's authority ended while its request was under way. An exception, unlike other refusals: it is thrown from wherever time has
/// passed (a body, a wait, a batch), so that no handler can forget to pass it on, and answered by the door in its family's words.
/// </summary>
/// <param name="reason">One of the reasons that streams end with.</param>
internal sealed class AuthorityEndedException(string reason) : Exception($"The caller's authority has ended: {reason}")
{
    public string Reason { get; } = reason;
}

/// <summary>A bound of what one caller may hold open is reached: thrown where it is opened, and answered by the door.</summary>
internal sealed class QuotaReachedException(Refusal refusal) : Exception(refusal.Message)
{
    public Refusal Refusal { get; } = refusal;
}

/// <summary>Who makes a request, set on it as a feature: asked again by whatever lets time pass, such as the reading of a body.</summary>
internal abstract class RequestCaller
{
    /// <summary>Asks again whether the caller may do what it was let in for.</summary>
    /// <exception cref="AuthorityEndedException">It ended meanwhile; the door answers 401 or 403 and nothing more is done.</exception>
    public abstract void EnsureStillAllowed();

    /// <summary>
    /// The same, with what was committed meanwhile and only a look into the store tells: for whoever is in no
    /// transaction, as after a body or a wait.
    /// </summary>
    /// <exception cref="AuthorityEndedException">It ended meanwhile; the door answers 401 or 403.</exception>
    public abstract ValueTask EnsureStillAllowedAsync();
}
