using Postern.Access;

namespace Postern.Pages;

/// <summary>Whom what was given to sign in with shows; nobody, with the reason for the audit.</summary>
/// <param name="KeyId">The key whose own text it was, when it has ended.</param>
internal sealed record SignInTry(ConsolePerson? Who, string Reason = "", string? KeyId = null);
