using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

internal sealed class OutboundOptions
{
    [Description(
        "Networks (CIDR) that this server may connect to although they are private, and by plain http, such as "
            + "10.1.0.0/16. A cloud's metadata address must be listed by itself. Development mode adds loopback."
    )]
    [Networks]
    public string[] AllowedNetworks { get; set; } = [];

    [Description(
        "Refuse URLs that are not https, except to AllowedNetworks: requests carry tokens and transcripts. "
            + "Development mode switches it off."
    )]
    public bool HttpsOnly { get; set; } = true;

    [Description(
        "HTTP proxy that outbound requests go through, such as http://proxy.internal:3128. Empty: none. The URL's "
            + "own address is checked here before each request; the proxy then resolves the name again."
    )]
    [RegularExpression("^(http://[^/?#@]+)?$", ErrorMessage = "must be http://host[:port]")]
    public string Proxy { get; set; } = "";

    [Description("Seconds that one outbound request may take.")]
    [Range(1, 300)]
    public int TimeoutSeconds { get; set; } = 15;
}
