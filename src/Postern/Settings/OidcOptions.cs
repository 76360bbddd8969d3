using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

/// <summary>Sign-in to the console with an identity provider (OpenID Connect).</summary>
internal sealed class OidcOptions
{
    [Description(
        "Issuer of the OpenID Connect provider by which people sign in to the console, such as "
            + "https://login.example.com. Plain http is taken for loopback alone. Empty: there is no such sign-in."
    )]
    [RegularExpression(
        @"^(https://[^/?#@\s]+(/[^?#\s]*)?|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/[^?#\s]*)?)?$",
        ErrorMessage = "must be https://host[:port][/path]"
    )]
    public string Authority { get; set; } = "";

    [Description("The client's id, as the provider knows this server.")]
    public string ClientId { get; set; } = "";

    [Description("The client's secret.")]
    [PasswordPropertyText(true)]
    public string ClientSecret { get; set; } = "";

    [Description(
        "Claim that names the person for `Postern:Operators:Roles`. `email` counts only where `email_verified` is true."
    )]
    [RegularExpression("^[!-~]{1,64}$", ErrorMessage = "must be a claim's name")]
    public string Claim { get; set; } = "email";

    [Description(
        "Claim that lists the person's groups: `Postern:Operators:Roles:group:admins` holds for whoever is in the "
            + "group `admins`. Empty: groups count for nothing."
    )]
    [RegularExpression("^[!-~]{0,64}$", ErrorMessage = "must be a claim's name")]
    public string GroupsClaim { get; set; } = "";

    /// <summary>Returns whether people may sign in with a provider.</summary>
    public bool IsOn() => Authority.Length > 0;

    /// <summary>Returns what is wrong with the settings together, or null.</summary>
    public string? Validate() =>
        (Authority.Length > 0, ClientId.Length > 0) switch
        {
            (true, false) => "Postern:Console:Oidc:ClientId is missing beside Postern:Console:Oidc:Authority",
            (false, true) => "Postern:Console:Oidc:Authority is missing beside Postern:Console:Oidc:ClientId",
            _ => null,
        };
}
