using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

internal sealed class OperatorOptions
{
    [Description("Networks (CIDR) of proxies whose identity header is believed, such as 10.0.0.0/8.")]
    [Networks]
    public string[] TrustedProxies { get; set; } = [];

    [Description("Header in which a trusted proxy names the person.")]
    [RegularExpression("^[A-Za-z0-9-]{1,64}$", ErrorMessage = "must be a header's name")]
    public string IdentityHeader { get; set; } = "X-Forwarded-User";

    [Description(
        "Scopes of an identity, by its name: `Postern:Operators:Roles:ada` = `operator.admin`. Others whom a proxy "
            + "names have operator.read; others who sign in by OpenID Connect are not let in."
    )]
    public Dictionary<string, string> Roles { get; set; } = new(StringComparer.Ordinal);
}
