namespace Postern.Http;

/// <summary>
/// Thrown when the caller's authority ends during its request. It is an exception, unlike other refusals, because it is
/// thrown wherever time has passed (a body, a wait, a batch): no handler can forget to pass it on. The door answers it
/// in its error format.
/// </summary>
/// <param name="reason">One of the reasons that streams end with.</param>
internal sealed class AuthorityEndedException(string reason) : Exception($"The caller's authority has ended: {reason}")
{
    public string Reason { get; } = reason;
}
