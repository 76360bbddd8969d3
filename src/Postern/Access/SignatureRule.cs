namespace Postern.Access;

/// <summary>
/// How a sender signs, and with which secrets. During a rotation there are several; the first that matches wins.
/// </summary>
/// <param name="Scheme">A row of the table.</param>
/// <param name="Secrets">At most <see cref="Signatures.MaxSecrets"/> are tried.</param>
/// <param name="Header">A header of its own; null for the scheme's.</param>
/// <param name="Form">How a described sender writes its signature; null for the scheme's.</param>
/// <param name="AlsoTimed">
/// The same secret also signs <c>t.body</c>: then no body that could be one is taken without an instant.
/// </param>
internal sealed record SignatureRule(
    SignatureScheme Scheme,
    IReadOnlyList<string> Secrets,
    string? Header = null,
    HmacForm? Form = null,
    bool AlsoTimed = false
)
{
    /// <summary>Secrets that were replaced lately. They verify nothing; they only explain a refusal.</summary>
    public IReadOnlyList<string> Retired { get; init; } = [];
}
