namespace Postern.Access;

/// <summary>The person who opens a session of the console, with the credential that opens it.</summary>
/// <param name="Credential">
/// The id of a key; or a name behind <see cref="OfProxy"/> or <see cref="OfOidc"/>, which no key's id begins with.
/// </param>
/// <param name="Secret">The digest of the key's secret that was presented; null without a key.</param>
/// <param name="Roles">The roles that the person had when an identity provider named him; null without one.</param>
internal sealed record ConsolePerson(
    string Project,
    string Credential,
    byte[]? Secret = null,
    IReadOnlyList<string>? Roles = null
)
{
    public const string OfProxy = "proxy:";
    public const string OfOidc = "oidc:";
}
