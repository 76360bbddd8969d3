using Postern.Access;

namespace Postern.Pages;

/// <summary>The person that a sign-in proves; or nobody, with the reason for the audit.</summary>
/// <param name="KeyId">The key whose own text it was, when it has ended.</param>
internal sealed record SignInTry(ConsolePerson? Who, string Reason = "", string? KeyId = null);
