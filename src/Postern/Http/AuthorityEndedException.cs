namespace Postern.Http;

/// <summary>
/// The caller's authority ended while its request was under way. An exception, unlike other refusals: it is thrown from
/// wherever time has passed (a body, a wait, a batch), so that no handler can forget to pass it on, and answered by the
/// door in its family's words.
/// </summary>
/// <param name="reason">One of the reasons that streams end with.</param>
internal sealed class AuthorityEndedException(string reason) : Exception($"The caller's authority has ended: {reason}")
{
    public string Reason { get; } = reason;
}
